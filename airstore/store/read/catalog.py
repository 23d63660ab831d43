"""Bringing packs and the index together: what a pack adds to it, and rebuilding it from packs alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from airstore.core.durable import Disk, DurableFile, storage_errors, temporary_file
from airstore.core.errors import DamagedError
from airstore.store.format.objects import ObjectKind
from airstore.store.format.pack import PackFrame, file_size, read_frame, read_pack
from airstore.store.format.recipe import decode_root
from airstore.store.read.index import ObjectIndex
from airstore.store.read.rows import BlobRow, PackRows

_PACK_NAME = re.compile(r"([a-f0-9]{64})\.(pack|partial)")


def name_of(path: Path) -> bytes:
    """The raw name of a pack, from its file name.

    Raises:
        DamagedError: the file is not named as a pack.
    """
    match = _PACK_NAME.fullmatch(path.name)
    if not match:
        raise DamagedError(f"{path.name} is not named as a pack is: <sha256>.pack")
    return bytes.fromhex(match[1])


def pack_rows(path: Path, name: bytes) -> PackRows:
    """What the index takes from a pack.

    Raises:
        DamagedError: the pack's index or one of its recipes is damaged.
        StorageError: the disk failed.
    """
    frames = read_pack(path)
    blobs = [row for frame in frames for row in _recipes(path, frame)]
    return PackRows(name, file_size(path), frames, blobs)


def write_index(
    packs: Path, final: Path, temporary: Path, disk: Disk, old: ObjectIndex | None = None
) -> None:
    """Make an index from all packs of a directory and put it in place of the one there.

    Of a pack whose own index is damaged, what the old one knows is kept: each object that is read is verified
    anyhow; without, it is entered without objects. A recipe that cannot be read is left out. `check` names
    both.

    Raises:
        StorageError: the disk is full or failed; the old index is as it was.
    """
    with published_file(temporary, final, disk) as file, closing(ObjectIndex(str(file.path))) as index:
        index.add(_readable_rows(packs, old))
        with storage_errors(final):
            # A journal of the old database would be rolled back into the new one.
            final.with_name(f"{final.name}-journal").unlink(missing_ok=True)


@contextmanager
def published_file(directory: Path, final: Path, disk: Disk) -> Iterator[DurableFile]:
    """A file in a directory for temporary ones, which gets its final name when the block ends well.

    Raises:
        StorageError: the disk is full or failed; nothing of the file is left.
    """
    with temporary_file(directory, disk) as file:
        yield file
    try:
        with storage_errors(final):
            disk.publish(file.path, final)
    except BaseException:
        file.path.unlink(missing_ok=True)
        raise


def pack_files(packs: Path) -> list[Path]:
    """All pack files of a directory, oldest first, so that newer copies are preferred; each pack once."""
    with storage_errors(packs):
        found = [path for path in packs.iterdir() if _PACK_NAME.fullmatch(path.name)]
        whole = {path.stem for path in found if not is_partial(path)}
        found = [path for path in found if not is_partial(path) or path.stem not in whole]
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def is_partial(path: Path) -> bool:
    """Whether a pack's file is one of which only a part is here."""
    return path.suffix == ".partial"


def _readable_rows(packs: Path, old: ObjectIndex | None) -> Iterator[PackRows]:
    for path in pack_files(packs):
        name, size = name_of(path), file_size(path)
        try:
            frames = read_pack(path)
        except DamagedError:
            frames = _remembered(name, old)
        yield PackRows(
            name, size, frames, [row for frame in frames for row in _readable_recipes(path, frame)]
        )


def _remembered(name: bytes, old: ObjectIndex | None) -> list[PackFrame]:
    with suppress(DamagedError, ValueError):  # ValueError: a kind that no object has
        return old.frames_of(name) if old else []
    return []


def _readable_recipes(path: Path, frame: PackFrame) -> list[BlobRow]:
    try:
        return list(_recipes(path, frame))
    except DamagedError:
        return []


def _recipes(path: Path, frame: PackFrame) -> Iterator[BlobRow]:
    if frame.kind is not ObjectKind.RECIPE:
        return
    plain = read_frame(path, frame.offset, frame.stored, frame.plain)
    at = 0
    for key in frame.objects():
        recipe = decode_root(plain[at : at + key.size])
        at += key.size
        yield BlobRow(recipe.blob.raw, recipe.size, key)
