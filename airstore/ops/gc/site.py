"""What a site has to keep: what runs, what a rollback goes back to, and what an open run needs."""

from __future__ import annotations

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
    """The state that runs, and the one below it."""
    states = [state.version for state in stack(reversed(list(ledger.entries(store.history))))]
    if states and ledger.is_release(states[-1]):
        running = ledger.running(store.history) is not None
        pins.keep(states[-1], "runs" if running else "ran last", vital=running)
    for version in filter(ledger.is_release, states[-2:-1]):
        pins.keep(version, "a rollback goes back to it")


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
                pins.keep(version, f"run {journal.name} has not ended", vital=True)
