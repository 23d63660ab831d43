"""Writing media: a directory that appears complete under its name, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from airstore.core.digest import Digest
from airstore.core.durable import storage_errors, sync_directory, write_file
from airstore.core.errors import UsageError
from airstore.core.progress import Progress
from airstore.history.bundle import create_bundle
from airstore.history.repository import History
from airstore.media.index import BUNDLE_NAME, INDEX_NAME, MediaFile, MediaIndex, ReleaseId, pack_path
from airstore.store.blobs import BlobStore, PackFile, Selection, write_packs


def write_media(
    out: Path,
    contents: tuple[BlobStore, Selection, History],
    describe: Callable[[dict[str, MediaFile]], MediaIndex],
    sign: Callable[[bytes], bytes],
    progress: Progress,
) -> MediaIndex:
    """Write packs, history bundle and signed index to a new directory.

    Args:
        out: must not exist, or be an empty directory.
        contents: where the objects come from, which of them, and the history.
        describe: makes the index once the files are known.
        sign: turns the index's statement into a DSSE envelope.
        progress: shows the bytes written.

    Raises:
        UsageError: ``out`` is in use.
        StorageError: the disk is full; nothing is left behind.
    """
    _check_free(out)
    store, selection, history = contents
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}.tmp-", dir=out.parent))
    try:
        with progress.task("writing packs", selection.plain_bytes) as advance:
            packs = write_packs(store, selection, building / "packs", advance)
        index = _finish(building, packs, history, describe)
        write_file(building / INDEX_NAME, sign(index.to_statement()))
        _open_to_all(building)
        _publish(building, out)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return index


def _finish(
    building: Path,
    packs: Iterable[PackFile],
    history: History,
    describe: Callable[[dict[str, MediaFile]], MediaIndex],
) -> MediaIndex:
    files = {pack_path(pack.digest): MediaFile(pack.size, pack.digest) for pack in packs}
    bundle = building / BUNDLE_NAME
    draft = describe({**files, BUNDLE_NAME: MediaFile(0, Digest.of(b""))})
    create_bundle(history, bundle, draft.release.version, _known(draft.base))
    files[BUNDLE_NAME] = MediaFile(bundle.stat().st_size, Digest.of_file(bundle))
    return describe(files)


def _known(base: ReleaseId | None) -> str | None:
    return base.version if base else None


def _check_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise UsageError(f"{out} exists already", hint="name a new directory, or remove the old media first")


def _open_to_all(building: Path) -> None:
    """Whoever carries media is another user, often on another machine: the umask here says nothing there."""
    with storage_errors(building):
        for path in (building, *building.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o444)


def _publish(building: Path, out: Path) -> None:
    with storage_errors(out):
        if out.exists():
            out.rmdir()
        building.rename(out)
        sync_directory(out)
        sync_directory(out.parent)
