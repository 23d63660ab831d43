"""What a site has to keep: what runs, what a rollback goes back to, and what an open run needs."""

from __future__ import annotations

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.deploy.plan.stack import stack
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import load_all
from airstore.history import ledger
from airstore.ops.apply.backups import list_backups
from airstore.ops.apply.session.handover import refuse_marked
from airstore.ops.apply.session.runs import Runs
from airstore.ops.gc.pins import PinList, Pins
from airstore.ops.stores.directory import StoreDirectory

_USABLE = frozenset({"store", "cluster"})


def site_pins(store: StoreDirectory) -> Pins:
    """Everything but the age of releases; with the store's lock.

    Raises:
        UsageError: the applier in the cluster has the store, and with it the ledger.
        DamagedError: the ledger or a journal does not read.
    """
    refuse_marked(store, "gc")
    pins = PinList()
    _what_ran(store, pins)
    _backups(store, pins)
    _open_runs(store, pins)
    return pins.all()


def _what_ran(store: StoreDirectory, pins: PinList) -> None:
    states = stack(reversed(list(ledger.entries(store.history))))
    for state, why in zip(reversed(states), ("runs", "a rollback goes back to it"), strict=False):
        if ledger.is_release(state.version):
            running = why != "runs" or ledger.running(store.history)
            pins.keep(state.version, why if running else "ran last")
        charts = frozenset(Digest(helm.archive) for helm in state.entry.running if _is_digest(helm.archive))
        pins.keep_blobs("charts of what ran", charts)


def _backups(store: StoreDirectory, pins: PinList) -> None:
    for backup in list_backups(store):
        for version in backup.serves if backup.kept in _USABLE else ():
            if ledger.is_release(version):
                pins.keep(version, "a backup holds its data, for a rollback")


def _open_runs(store: StoreDirectory, pins: PinList) -> None:
    for journal in load_all(Runs(store).directory):
        if journal.end is None:
            intent = Intent.of(journal)
            for version in filter(ledger.is_release, (intent.version, intent.previous)):
                pins.keep(version, f"run {journal.name} has not ended")


def _is_digest(text: str) -> bool:
    try:
        return bool(Digest(text))
    except DamagedError:  # what was adopted has none
        return False
