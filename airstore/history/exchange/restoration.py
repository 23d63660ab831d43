"""Restoring a history from others: its files, its objects, and at last packs that are damaged.

Nothing is removed before all that it held reads back from elsewhere, and each step finds what an earlier,
interrupted run has done: running it again goes on from there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pygit2.enums import ObjectType

from airstore.core.durable import LOCAL_DISK, Disk, storage_errors, sync_directory, write_file
from airstore.core.errors import DamagedError
from airstore.core.leftovers import scratch_directory
from airstore.history.git.closure import closure
from airstore.history.git.commits import decode_commit, decode_tag
from airstore.history.git.files import DIRECTORIES, HEAD, has_own_checksum, head_faults, pack_faults
from airstore.history.git.objects import ObjectDatabase
from airstore.history.git.program import Git
from airstore.history.git.scratch import publish_packs, scratch
from airstore.history.git.trees import decode
from airstore.history.repository import History


def restore_files(history: Path, disk: Disk = LOCAL_DISK, git: Git | None = None) -> list[str]:
    """Make HEAD, configuration and directories again where they are damaged, and indexes of whole packs.

    Returns:
        The names of the files.

    Raises:
        StorageError: the disk is full or failed.
        NotFoundError: no usable git.
    """
    if not history.exists():
        History.create(history, disk=disk)
        return ["HEAD"]
    done = [path.name for path, _ in head_faults(history)]
    if done:
        _restore_head(history, done, disk)
    for pack in _badly_indexed(history):
        with suppress(DamagedError), scratch_directory("index") as directory:
            made = scratch(Path(directory) / "scratch.git", history)
            with storage_errors(pack), pack.open("rb") as file:
                (git or Git()).index_pack(made, file, f"indexing {pack.name}")
            _publish_from(made, history, disk)
            done.append(pack.with_suffix(".idx").name)
    return done + list(_drop_reverse(history))


def restore_objects(history: Path, tips: Iterable[str], united: History, disk: Disk) -> tuple[int, list[str]]:
    """Write every object that these need and that does not read here, from wherever it does.

    Args:
        history: that is restored.
        tips: object ids.
        united: reads from it and from others.
        disk: makes them durable.

    Returns:
        How many were written, and those that nobody has.

    Raises:
        StorageError: the disk is full or failed.
    """
    own, others = ObjectDatabase(history / "objects", disk), ObjectDatabase(united.path / "objects")
    written = 0

    def find(oid: str) -> tuple[int, bytes]:
        nonlocal written
        with suppress(DamagedError):
            return own.get(oid)
        kind, data = others.get(oid)
        own.write_loose(oid, kind, data)
        written += 1
        return kind, data

    missing = [needed.oid for needed in closure(tips, find) if needed.fault]
    own.sync()
    return written, missing


def drop_damaged_packs(history: Path, tips: Iterable[str], disk: Disk) -> list[str]:
    """Remove packs of git's that are damaged, once every object that is needed has a file of its own.

    Raises:
        DamagedError: an object that is needed cannot be read; no pack was removed.
        StorageError: the disk is full or failed.
    """
    damaged = sorted({path.with_suffix("") for path, _ in pack_faults(history)})
    if not damaged:
        return []
    objects = ObjectDatabase(history / "objects", disk)
    for needed in closure(tips, objects.get):
        if needed.fault:
            raise needed.fault
        objects.write_loose(needed.oid, *objects.get(needed.oid))
    objects.sync()
    for stem in damaged:
        with storage_errors(stem):
            for suffix in (".idx", ".rev", ".pack"):  # without its index it is no pack to any reader
                stem.with_suffix(suffix).unlink(missing_ok=True)
            sync_directory(stem.parent)
    return [stem.name for stem in damaged]


def tags_in(objects: ObjectDatabase) -> Iterator[tuple[str, str, str]]:
    """Name, object and commit of every tag there is, whatever refs say."""
    for oid, kind, data in _all(objects):
        if kind == ObjectType.TAG:
            with suppress(DamagedError):
                tag = decode_tag(data, oid)
                yield tag.name, oid, tag.target


def longest_ledger(objects: ObjectDatabase) -> str | None:
    """The commit of a ledger with the most entries before it, whatever refs say."""
    parents: dict[str, str | None] = {}
    for oid, kind, data in _all(objects):
        if kind == ObjectType.COMMIT:
            with suppress(DamagedError):
                commit = decode_commit(data, oid)
                names = {entry.name for entry in decode(objects.get(commit.tree)[1], commit.tree)}
                if "entry.json" in names:
                    parents[oid] = commit.parent
    tips = parents.keys() - set(parents.values())
    return max(tips, key=lambda oid: (_depth(oid, parents), oid), default=None)


def _depth(oid: str | None, parents: dict[str, str | None]) -> int:
    count = 0
    while oid in parents:
        oid, count = parents[oid], count + 1
    return count


def _all(objects: ObjectDatabase) -> Iterator[tuple[str, int, bytes]]:
    for oid in sorted(set(objects.all_ids())):
        with suppress(DamagedError):
            yield oid, *objects.get(oid)


def _restore_head(history: Path, names: Iterable[str], disk: Disk) -> None:
    with scratch_directory("head") as directory:
        fresh = Path(directory) / "new.git"
        History.create(fresh)
        for name in set(names).difference(DIRECTORIES):
            data = HEAD if name == "HEAD" else (fresh / name).read_bytes()
            write_file(history / name, data, mode=0o644, disk=disk)
    for needed in ("refs/heads", "refs/tags", "objects/info", "objects/pack"):
        (history / needed).mkdir(parents=True, exist_ok=True)


def _badly_indexed(history: Path) -> list[Path]:
    packs = sorted((history / "objects" / "pack").glob("*.pack"))
    return [
        pack for pack in packs if has_own_checksum(pack) and not has_own_checksum(pack.with_suffix(".idx"))
    ]


def _publish_from(made: Path, history: Path, disk: Disk) -> None:
    """What git made lies on another file system, perhaps."""
    with tempfile.TemporaryDirectory(prefix=".index-", dir=history) as directory:
        near = Path(directory) / "objects" / "pack"
        near.mkdir(parents=True)
        for path in (made / "objects" / "pack").iterdir():
            (near / path.name).write_bytes(path.read_bytes())
        publish_packs(Path(directory), history, disk)


def _drop_reverse(history: Path) -> Iterator[str]:
    """A reverse index saves git time, and nothing needs it."""
    for path in sorted((history / "objects" / "pack").glob("*.rev")):
        if not has_own_checksum(path):
            with storage_errors(path):
                path.unlink()
            yield path.name
