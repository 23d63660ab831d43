"""Writing media: a directory that appears complete under its name, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from airstore.core.durable import storage_errors, sync_directory, write_file
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.leftovers import building_directory
from airstore.core.limits import LIMITS
from airstore.core.model.release_id import ReleaseId
from airstore.core.progress import Progress
from airstore.history.exchange.bundle import create_bundle
from airstore.history.repository import History
from airstore.media.copies import divided, write_copies
from airstore.media.delta.effort import Effort
from airstore.media.delta.making.memory import DEFAULT
from airstore.media.delta.writer import Task, prepare
from airstore.media.index import (
    BUNDLE_NAME,
    INDEX_COPY,
    INDEX_NAME,
    MediaFile,
    MediaIndex,
    delta_path,
    pack_path,
    root_path,
)
from airstore.media.parity.encode import add_parity
from airstore.media.parity.erasure import Code
from airstore.media.parity.shape import Shape
from airstore.media.volumes.slices import plan, room
from airstore.media.volumes.split import split, volume_directories
from airstore.store.blobs import BlobStore, Selection, write_packs


@frozen
class MediaContents:
    """What media shall carry.

    Attributes:
        store: has all blobs.
        selection: objects that travel as they are.
        delta: blobs that travel as what of them the base has not.
        effort: how much time a smaller delta is worth.
        memory: bytes that making it may take.
        roots: trust roots, version to envelope, which sites walk before anything else; none while the first
            is in force, so that media are what older sites read.
    """

    store: BlobStore
    history: History
    selection: Selection | None = None
    delta: Task | None = None
    effort: Effort = Effort.NORMAL
    memory: int = DEFAULT
    roots: Mapping[int, bytes] = field(default_factory=dict)


@frozen
class Carriers:
    """What media are carried on.

    Attributes:
        volume_size: bytes that one carrier holds; what is larger is cut into directories of that size;
            None: as much as it takes.
        parity: percent of the files that can be rebuilt; None: nothing.
    """

    volume_size: int | None = None
    parity: float | None = None


ONE = Carriers()


def write_media(
    out: Path,
    contents: MediaContents,
    describe: Callable[[dict[str, MediaFile]], MediaIndex],
    sign: Callable[[bytes], bytes],
    progress: Progress,
    carriers: Carriers = ONE,
    beside: Callable[[Path], object] = lambda _directory: None,
) -> MediaIndex:
    """Write packs or a delta, history bundle and signed index to a new directory.

    Args:
        out: must not exist, or be an empty directory.
        contents: what they carry.
        describe: makes the index once the files are known.
        sign: turns the index's statement into a DSSE envelope.
        progress: shows the bytes written.
        carriers: what they hold, and how much of them may be lost.
        beside: puts into the directory what no index lists.

    Raises:
        UsageError: ``out`` is in use, a volume or the memory too small, or a share of parity none.
        IncompleteError: parity needs zfec, which is not installed.
        StorageError: the disk is full; nothing is left behind.
    """
    check_free(out)
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with building_directory(out) as building:
        index = _filled(building, contents, describe, progress, carriers)
        signed = sign(index.to_statement())
        _check_index(signed)
        _write_index(building, index, signed, contents.roots)
        beside(building)
        _open_to_all(building)
        _publish(building, out)
    return index


def measure_media(
    temporary: Path,
    contents: MediaContents,
    describe: Callable[[dict[str, MediaFile]], MediaIndex],
    progress: Progress,
    carriers: Carriers = ONE,
) -> MediaIndex:
    """The index that media would have: all of their files are made, and thrown away.

    Args:
        temporary: a directory with room for them.
        contents: what they carry.
        describe: makes the index once the files are known.
        progress: shows the bytes written.
        carriers: what they hold, and how much of them may be lost.

    Raises:
        UsageError: a volume is too small, or a share of parity none.
        IncompleteError: parity needs zfec, which is not installed.
        StorageError: the disk is full.
    """
    with storage_errors(temporary), tempfile.TemporaryDirectory(dir=temporary) as building:
        return _filled(Path(building), contents, describe, progress, carriers)


def _filled(
    building: Path,
    contents: MediaContents,
    describe: Callable[[dict[str, MediaFile]], MediaIndex],
    progress: Progress,
    carriers: Carriers,
) -> MediaIndex:
    _check(carriers)
    contents.effort.shares(contents.memory)
    files = {**_packs(building, contents, progress), **_delta(building, contents, progress)}
    index = _finish(building, files, contents.history, describe)
    if carriers.parity is not None:
        index = add_parity(building, index, carriers.parity, progress)
    if carriers.volume_size is not None:
        roots = sum(room(len(root)) for root in contents.roots.values())
        index = split(building, index, carriers.volume_size, progress, roots)
    return index


def _check(carriers: Carriers) -> None:
    """What is wrong whatever the media weigh is said before they are made, which may take an hour."""
    if carriers.parity is not None:
        Shape.of(1, carriers.parity)
        Code(1, 1)
    if carriers.volume_size is not None:
        plan({}, carriers.volume_size, 0)


def _packs(building: Path, contents: MediaContents, progress: Progress) -> dict[str, MediaFile]:
    if contents.selection is None:
        return {}
    with progress.task("writing packs", contents.selection.plain_bytes) as advance:
        packs = write_packs(contents.store, contents.selection, building / "packs", advance)
    return {pack_path(pack.digest): MediaFile(pack.size, pack.digest) for pack in packs}


def _delta(building: Path, contents: MediaContents, progress: Progress) -> dict[str, MediaFile]:
    if contents.delta is None or not contents.delta.new:
        return {}
    task = divided(contents.store, contents.delta) if contents.effort is Effort.FAST else contents.delta
    return {**_copied(building, contents, task, progress), **_rest(building, contents, task, progress)}


def _copied(building: Path, contents: MediaContents, task: Task, progress: Progress) -> dict[str, MediaFile]:
    """Packs of the blobs that travel as they are."""
    if not task.copied:
        return {}
    packs = write_copies(contents.store, task.copied, _packs_of(building), progress)
    return {pack_path(pack.digest): MediaFile(pack.size, pack.digest) for pack in packs}


def _rest(building: Path, contents: MediaContents, task: Task, progress: Progress) -> dict[str, MediaFile]:
    if not task.new:
        return {}
    draft = _packs_of(building) / "draft"
    prepared = prepare(contents.store, task)
    prepared.write(draft, contents.effort, progress, contents.memory)
    digest = Digest.of_file(draft)
    with storage_errors(draft):
        final = draft.rename(building / delta_path(digest))
        sync_directory(final.parent)
        return {delta_path(digest): MediaFile(final.stat().st_size, digest)}


def _packs_of(building: Path) -> Path:
    directory = building / "packs"
    with storage_errors(directory):
        directory.mkdir(exist_ok=True)
    return directory


def _finish(
    building: Path,
    files: Mapping[str, MediaFile],
    history: History,
    describe: Callable[[dict[str, MediaFile]], MediaIndex],
) -> MediaIndex:
    files = dict(files)
    bundle = building / BUNDLE_NAME
    draft = describe({**files, BUNDLE_NAME: MediaFile(0, Digest.of(b""))})
    create_bundle(history, bundle, draft.release.version, _known(draft.base))
    files[BUNDLE_NAME] = MediaFile(bundle.stat().st_size, Digest.of_file(bundle))
    return describe(files)


def _check_index(signed: bytes) -> None:
    if len(signed) > LIMITS.media_index:
        raise UsageError(
            f"the index of these media would be {len(signed)} bytes, and sites read {LIMITS.media_index}",
            hint="larger volumes make a smaller one",
        )


def _write_index(building: Path, index: MediaIndex, signed: bytes, roots: Mapping[int, bytes]) -> None:
    for directory in volume_directories(building, len(index.volumes)) or [building]:
        for version, root in roots.items():
            with storage_errors(directory):
                (directory / root_path(version)).parent.mkdir(exist_ok=True)
            write_file(directory / root_path(version), root)
        write_file(directory / INDEX_NAME, signed)
        if index.parity:
            write_file(directory / INDEX_COPY, signed)


def _known(base: ReleaseId | None) -> str | None:
    return base.version if base else None


def check_free(out: Path) -> None:
    """See that media can be written there.

    Raises:
        UsageError: something is there.
    """
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
