"""A site's mark, restored; and a ledger that goes on where entries of it are lost for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from airstore.core.errors import (
    AirstoreError,
    DamagedError,
    NotFoundError,
    NotTrustedError,
    StorageError,
    UsageError,
)
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.site.anchors import accept_lost, lost_beyond
from airstore.ops.stores.site.ledgers import read_mark, write_mark


def restore_mark(store: StoreDirectory, accepted: int | None) -> Iterator[str]:
    """Write the mark again where it does not read; go on without lost entries, where that is accepted.

    Args:
        store: of either side; its history and state are restored as far as they can be.
        accepted: when somebody accepted the loss, in seconds since the epoch; None: nobody did.

    Raises:
        StorageError: the disk is full or failed.
    """
    if store.side != SITE:
        return
    with suppress(DamagedError, NotFoundError, NotTrustedError, UsageError):  # `check` names it
        if not _reads(store):
            mark = write_mark(store)
            yield f"{store.layout.mark_file}: {mark.entries} entries, as the ledger here says"
        lost = lost_beyond(store)
        if lost and accepted is not None:
            accept_lost(store, lost, accepted)
            yield f"the ledger without entries {lost[0]} to {lost[1]}, which it says are lost"


def _reads(store: StoreDirectory) -> bool:
    try:
        read_mark(store)
    except StorageError:
        raise
    except AirstoreError:
        return False
    return True
