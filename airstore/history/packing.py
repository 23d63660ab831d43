"""Loose objects of a history, packed: each release writes about a dozen small files, and they add up.

Order, so that a killed run loses nothing and a reader always finds every object: the pack, checked by git and
synced; then its index, which makes it count; then each loose file goes, once the pack gives back its object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from airstore.core.durable import exclusive_lock, storage_errors
from airstore.history.git.objects import ObjectDatabase
from airstore.history.git.program import Git
from airstore.history.git.scratch import publish_packs, remove, scratch
from airstore.history.repository import History

ENOUGH = 1000
"""Loose objects from which on a pack is worth making; then a thousand releases leave some ten packs."""

_FAN = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{38}")


def pack_loose(history: History, *, enough: int = ENOUGH, git: Git | None = None) -> int:
    """Pack loose objects, where there are enough of them; the caller holds the store's lock.

    What cannot be read is left as it is, for `check` to name.

    Args:
        history: whose objects; readers are not disturbed.
        enough: objects.
        git: the program to use.

    Returns:
        How many loose objects went.

    Raises:
        LockedError: another process packs this history.
        NotFoundError: no usable git.
        DamagedError: git refuses the pack that it made.
        StorageError: the disk is full or failed; nothing is lost.
    """
    places = loose_objects(history.path / "objects")
    if len(places) < enough:
        return 0
    directory = history.path / "packing"
    with exclusive_lock(history.path / "packing.lock"):
        remove(directory)  # of a killed run: the lock says that no other is alive
        try:
            _pack(history, list(places), directory, git or Git())
        finally:
            remove(directory)
        return _drop(ObjectDatabase(history.path / "objects"), places)


def loose_objects(objects: Path) -> dict[str, Path]:
    """Object id to file, sorted."""
    return dict(sorted(_loose(objects)))


def _loose(objects: Path) -> Iterator[tuple[str, Path]]:
    with storage_errors(objects):
        for fan in objects.iterdir():
            if _FAN.fullmatch(fan.name) and fan.is_dir():
                yield from (
                    (fan.name + path.name, path) for path in fan.iterdir() if _REST.fullmatch(path.name)
                )


def _pack(history: History, oids: Sequence[str], directory: Path, git: Git) -> None:
    objects = ObjectDatabase(history.path / "objects")
    unpacked = [oid for oid in oids if not objects.is_packed(oid) and objects.is_readable(oid)]
    if not unpacked:
        return
    made = scratch(directory, history.path)
    pack = directory / "loose.pack"
    with storage_errors(pack):
        with pack.open("wb") as file:
            git.pack_objects(made, unpacked, file.write)
        with pack.open("rb") as file:
            git.index_pack(made, file, "packing the history")
    publish_packs(made, history.path, history.disk)


def _drop(objects: ObjectDatabase, places: dict[str, Path]) -> int:
    """Remove the loose files whose objects the packs give back whole."""
    packed = [path for oid, path in places.items() if objects.is_packed(oid)]
    for path in packed:
        with storage_errors(path):
            path.unlink()
    return len(packed)
