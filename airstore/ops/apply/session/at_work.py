"""A run that has not ended was killed, or is being worked on right now: which of them, before one advises."""

from __future__ import annotations

from airstore.core.errors import LockedError, UsageError
from airstore.deploy.run.journal import Journal
from airstore.ops.stores.directory import StoreDirectory


def refuse_unfinished(store: StoreDirectory, journal: Journal | None, hint: str) -> None:
    """Refuse to go on while a run has not ended.

    Args:
        store: the site's.
        journal: of the run; None where there is none.
        hint: what to do about one that was killed.

    Raises:
        LockedError: another process, such as a second Job, is at work on it.
        UsageError: it was killed.
    """
    if journal is None:
        return
    if store.busy:
        raise LockedError(
            f"another airstore process holds the lock of run {journal.name}",
            hint="wait for it to end; `airstore status` says how it is",
        )
    raise UsageError(f"run {journal.name} has not ended", hint=hint)


def is_at_work(store: StoreDirectory, journal: Journal | None) -> bool:
    """Whether another process is at work on this run."""
    return journal is not None and store.busy
