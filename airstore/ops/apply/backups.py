"""``airstore backup``: the backups that runs made: listed, tested, pruned."""

from __future__ import annotations

import calendar
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import AirstoreError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.deploy.hooks.jobs import is_job
from airstore.deploy.hooks.runner import Hook
from airstore.deploy.model.target import targets_of
from airstore.deploy.plan.backups import Backup, BackupIndex, RunRecord, to_prune
from airstore.deploy.plan.stack import stack
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal, load_all
from airstore.deploy.run.steps import Mode, Run, Status, Step, StepKind, reached
from airstore.deploy.run.transition import items_of
from airstore.deploy.waiting.health import SystemClock
from airstore.deploy.waiting.watching import Stage, watching_hook
from airstore.history import ledger
from airstore.ops.apply.session.handover import refuse_marked
from airstore.ops.apply.session.runs import Runs
from airstore.ops.apply.session.session import ApplySession
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import state_release

_LOGS = ("logs", "verify")  # of a run: what its hooks said, and what those said that looked at its backups
_DIRECTORY, _GOING, _PRUNED = "backup", "backup.pruning", "backup.pruned"
Releases = Callable[[str], Release | None]


@frozen
class Listed:
    """One backup, for people and programs.

    Attributes:
        run: that made it.
        release: ``NAMESPACE/NAME`` of the Helm release.
        state: the release of the product whose data it holds.
        when: seconds since the epoch at which the run began.
        size_bytes: of what a script wrote; a Job keeps its data in the cluster.
        kept: ``store``, ``cluster``, ``pruned``, or ``gone`` where it should be on disk and is not.
        verified: its ``verifyBackup`` hook found it good when it was made.
        serves: releases that `rollback` would restore it for.
    """

    run: str
    release: str
    state: str
    when: int
    size_bytes: int
    kept: str
    verified: bool
    serves: tuple[str, ...]


@frozen
class Tested:
    """What the ``verifyBackup`` hook says now; ``fault`` is None where it found the backup good."""

    run: str
    release: str
    fault: str | None


def read_index(store: StoreDirectory) -> BackupIndex:
    """Every backup that journals tell of, and the states that ran.

    Raises:
        DamagedError: a journal or the ledger does not read.
    """
    releases = _releases(store)
    records = (_record(journal, releases) for journal in load_all(Runs(store).directory))
    states = stack(reversed(list(ledger.entries(store.history))))
    return BackupIndex(states, {record.name: record for record in records})


def list_backups(store: StoreDirectory) -> list[Listed]:
    """All of them, the newest first.

    Raises:
        DamagedError: a journal or the ledger does not read.
    """
    index, releases = read_index(store), _releases(store)
    return [_listed(store, index, backup, releases(backup.made_by)) for backup in index.backups()]


def verify_backups(session: ApplySession, run: str) -> list[Tested]:
    """Run the ``verifyBackup`` hook of the release that made it on each backup, of one run or of all.

    Raises:
        LockedError: somebody changes the site; hooks of two runs do not mix.
        NotFoundError: no such run, or it made none.
    """
    with session.alone():
        index = read_index(session.store)
        chosen = list(index.of_run(run).values()) if run else index.backups()
        if run and not chosen:
            raise NotFoundError(f"run {run!r} made no backup", hint="see `airstore backup list`")
        kept = [backup for backup in chosen if run or not _is_pruned(session.store, backup)]
        return [Tested(backup.run, backup.key, _fault(session, backup)) for backup in kept]


def prune(store: StoreDirectory, keep: int, states: int | None, *, dry_run: bool) -> list[str]:
    """As `prune_backups`, with the store's lock.

    Raises:
        UsageError: the applier in the cluster has the store.
        LockedError: another process holds the lock.
        StorageError: the disk failed.
    """
    refuse_marked(store, "backup prune")
    with store.locked():
        return prune_backups(store, keep, states, dry_run=dry_run)


def prune_backups(
    store: StoreDirectory, keep: int, states: int | None = None, *, dry_run: bool = False
) -> list[str]:
    """Delete backups that nothing needs; returns the runs that made them, oldest first.

    The caller holds the store's lock.

    Args:
        store: a site's.
        keep: runs whose backups stay anyway, the newest.
        states: how many earlier states can still be gone back to with their data; None: all.
        dry_run: delete nothing.

    Raises:
        StorageError: the disk failed.
    """
    index, directory = read_index(store), Runs(store).directory
    there = {name for name in index.records if (directory / name / _DIRECTORY).is_dir()}
    found = to_prune(index, there, keep, states)
    for name in () if dry_run else found:
        _prune(directory / name)
    if not dry_run:
        for left in directory.glob(f"*/{_GOING}"):  # of a prune that was killed
            _delete(left)
    return found


def prune_by_policy(store: StoreDirectory, policy: Mapping[str, int]) -> Iterator[str]:
    """Delete old backups and logs as the site file says, with the store's lock; yields what was deleted.

    Raises:
        StorageError: the disk failed.
    """
    if "keep" in policy:
        for run in prune_backups(store, policy["keep"], policy.get("states")):
            yield f"pruned the backups of run {run}, which no rollback needs"
    if "logs" in policy:
        for run in prune_logs(store, policy["logs"]):
            yield f"deleted the logs of run {run}"


def prune_logs(store: StoreDirectory, keep: int) -> list[str]:
    """Delete what hooks said in all runs that have ended but the newest; returns those runs, oldest first.

    Raises:
        DamagedError: a journal does not read.
        StorageError: the disk failed.
    """
    ended = [journal.directory for journal in load_all(Runs(store).directory) if journal.end]
    old = [run for run in reversed(ended[keep:]) if any((run / folder).is_dir() for folder in _LOGS)]
    for run in old:
        for folder in _LOGS:
            if (run / folder).is_dir():
                _delete(run / folder)
    return [run.name for run in old]


def is_there(store: StoreDirectory, backup: Backup) -> bool:
    """Whether it is on disk; of a Job's backup, whether the store still knows of it."""
    return (store.path / backup.place).is_dir()


def _prune(run: Path) -> None:
    write_file(run / _PRUNED, b"")
    with storage_errors(run):
        (run / _DIRECTORY).rename(run / _GOING)  # at once: half a backup must not look like a whole one
    _delete(run / _GOING)


def _delete(directory: Path) -> None:
    with storage_errors(directory):
        shutil.rmtree(directory)


def _releases(store: StoreDirectory) -> Releases:
    return partial(state_release, store)


def _record(journal: Journal, releases: Releases) -> RunRecord:
    intent = Intent.of(journal)
    newer, older = releases(intent.version), releases(intent.previous)
    found = items_of(intent, targets_of(intent.new, newer), targets_of(intent.old, older))
    done = {event.step for event in journal.events if event.status is Status.DONE}
    product = next((each.product for each in (newer, older) if each), "")
    return RunRecord(
        journal.name,
        product,
        intent.version,
        intent.previous,
        frozenset(item.key for item in reached(Run(found, intent.mode))),
        {
            item.key: Step(StepKind.VERIFY, item.key) in done
            for item in found
            if intent.mode is Mode.APPLY and Step(StepKind.BACKUP, item.key) in done
        },
        open=journal.end is None,
    )


def _listed(store: StoreDirectory, index: BackupIndex, backup: Backup, maker: Release | None) -> Listed:
    path = store.path / backup.place
    kept = "pruned" if _is_pruned(store, backup) else "gone"
    if path.is_dir():
        kept = "cluster" if _by_job(maker, backup.key) else "store"
    return Listed(
        backup.run,
        backup.key,
        backup.state,
        calendar.timegm(time.strptime(backup.run.partition("-")[0], "%Y%m%dT%H%M%SZ")),
        sum(_sizes(path)),
        kept,
        backup.verified,
        tuple(index.serves(backup)),
    )


def _is_pruned(store: StoreDirectory, backup: Backup) -> bool:
    run = Runs(store).directory / backup.run
    return (run / _PRUNED).exists() and not is_there(store, backup)


def _by_job(maker: Release | None, key: str) -> bool:
    helms = maker.helm_releases if maker else ()
    hooks = {f"{helm.namespace}/{helm.name}": helm.hooks for helm in helms}
    return is_job(hooks.get(key, {}).get("preUpgrade", ""))


def _sizes(directory: Path) -> Iterator[int]:
    with storage_errors(directory):
        for root, _, files in os.walk(directory):
            yield from (Path(root, name).lstat().st_size for name in files)


def _fault(session: ApplySession, backup: Backup) -> str | None:
    if not is_there(session.store, backup):
        return "it is gone from disk"
    directory = session.runs.directory / backup.run
    intent = Intent.of(Journal.load(directory))
    target = session.transition(intent, directory).new[backup.key]
    if "verifyBackup" not in target.helm.hooks:
        return f"release {backup.made_by} has no verifyBackup hook for it"
    redactor = session.installations.redactor(intent.new)
    step = f"verify-backup {backup.key} of run {backup.run}"
    watching = watching_hook(
        Stage(session.cluster, SystemClock(), session.console.display, redactor), step, target
    )
    hook = Hook("verifyBackup", target, backup.state, session.store.path / backup.place)
    try:
        session.say(f"{step} ...")
        session.hooks(directory / "verify", redactor).run(hook, watching)
    except AirstoreError as fault:
        return str(fault)
    finally:
        session.console.display.clear()
    return None
