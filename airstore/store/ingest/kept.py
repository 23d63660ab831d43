"""Why blobs are kept whole: notes beside the packs. Losing them costs no more than trying again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from airstore.codec.opening import FORMAT
from airstore.core.durable import Disk, write_file
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.parsing import strictjson


def reasons(path: Path) -> dict[Digest, str]:
    """What is noted, for blobs that this version of the codec has tried."""
    with suppress(DamagedError, OSError):
        document = strictjson.load_object(path.read_bytes(), str(path))
        noted = document.get("keptWhole")
        if document.get("codec") == FORMAT and isinstance(noted, dict):
            return {Digest(digest): str(why) for digest, why in noted.items()}
    return {}


def note(path: Path, new: Mapping[Digest, str], disk: Disk) -> None:
    """Add reasons to what is noted.

    Raises:
        StorageError: the disk is full or failed; the notes are as before.
    """
    known = reasons(path)
    noted = {**known, **new}
    if noted != known:
        document = {"codec": FORMAT, "keptWhole": {str(key): noted[key] for key in sorted(noted)}}
        write_file(path, strictjson.dumps(document), mode=0o644, disk=disk)
