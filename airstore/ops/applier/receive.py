"""In the applier's pod: a store or media from outside, received as a whole or not at all."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import IO

from airstore.core.durable import exclusive_lock, sync_directory
from airstore.core.errors import DamagedError, LockedError, UsageError
from airstore.core.location import CONFIG
from airstore.core.progress import Progress
from airstore.core.streams.framing import FRAME, ByteSource, Unframed
from airstore.core.streams.treestream import unpack
from airstore.history import ledger
from airstore.media.found import find_one
from airstore.ops.apply.session.handover import unmark
from airstore.ops.media.importer import Imported, import_media
from airstore.ops.stores.check import check_store
from airstore.ops.stores.directory import StoreDirectory, open_directory
from airstore.store.blobs import rebuild_index

_STORE, _MEDIA = ".incoming-store", "incoming-media"
_LOCK = "receiving.lock"
_WAIT = 2.0  # seconds; `has_arrived` looks for a moment


def has_arrived(path: Path) -> bool:
    """Whether there is a store, whole, and whoever brought it is done.

    Raises:
        StorageError: the volume cannot be written.
    """
    try:
        with exclusive_lock(path.parent / _LOCK):
            return (path / CONFIG).is_file()
    except LockedError:
        return False


def receive_store(source: ByteSource, path: Path, progress: Progress) -> None:
    """Receive a whole store: unpack it beside, read all of it, then give it its name.

    Args:
        source: a framed tar.
        path: where the store shall be; there must be none yet.
        progress: shows the reading.

    Raises:
        UsageError: there is a store already.
        LockedError: another one arrives just now.
        DamagedError, IncompleteError: what arrived is not what was sent, or was damaged before.
        StorageError: it cannot be written.
    """
    with exclusive_lock(path.parent / _LOCK, _WAIT):
        if path.exists():
            raise UsageError(f"{path} is there already")
        arrived = path.parent / _STORE
        shutil.rmtree(arrived, ignore_errors=True)
        try:
            unpack(_stream(source), arrived)
            store = open_directory(arrived)
            unmark(store)
            _check(store, progress)
            arrived.rename(path)
            sync_directory(path.parent)
        finally:
            shutil.rmtree(arrived, ignore_errors=True)


def receive_media(source: ByteSource, store: StoreDirectory, now: datetime, progress: Progress) -> Imported:
    """Take media in; their copy is gone afterwards, whatever happens.

    Raises:
        AirstoreError: see `airstore.ops.media.importer`.
    """
    arrived = store.path.parent / _MEDIA
    shutil.rmtree(arrived, ignore_errors=True)
    try:
        unpack(_stream(source), arrived)
        return import_media(store, find_one(arrived), now, progress)
    finally:
        shutil.rmtree(arrived, ignore_errors=True)


def descends(store: StoreDirectory, tip: str | None) -> bool:
    """Whether an entry is in this store's ledger; no entry is in every one."""
    return not tip or tip in _commits(store)


def ledger_tip(store: StoreDirectory) -> str | None:
    """The newest entry's commit; None where nothing was ever done."""
    return next(iter(_commits(store)), None)


def _commits(store: StoreDirectory) -> Iterable[str]:
    return store.history.entries(ledger.BRANCH)


def _stream(source: ByteSource) -> IO[bytes]:
    return io.BufferedReader(Unframed(source), FRAME)


def _check(store: StoreDirectory, progress: Progress) -> None:
    with store.open_blobs() as blobs:
        rebuild_index(blobs)
    if problems := check_store(store, progress).problems:
        listed = "\n".join(problem.fault for problem in problems)
        raise DamagedError(
            f"the store that arrived is damaged\n{listed}", hint="run airstore check at its source"
        )
