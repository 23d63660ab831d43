"""What runs against the cluster have written down: is it readable, and what they wrote?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.deploy.model.run_files import KEPT as KEPT_FILES
from airstore.deploy.model.run_files import VALUES, parse_run_file
from airstore.deploy.run.intent import altered_manifests
from airstore.deploy.run.journal import Journal, fits, journal_faults
from airstore.deploy.run.steps import Event, Status, StepKind
from airstore.history.ledger import KEPT, SEAL, Entry
from airstore.ops.stores.directory import StoreDirectory

_BY_HOOKS = ("backup", "logs")
_REFERENCE = "values"  # of a Helm release in a plan: where its values are, RUN/NAME


@dataclass
class RunsLook:
    """What was found of a store's runs.

    Attributes:
        faults: each with the run that it breaks.
        ended: names of runs whose journals say so.
        silent: names of runs that have a directory, and nothing readable that says what they were to do.
    """

    faults: list[tuple[str, str]] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)


def look_at_runs(store: StoreDirectory) -> RunsLook:
    """Read all journals and what lies beside them.

    Raises:
        StorageError: the disk failed.
    """
    runs, look = store.path / "deploy" / "runs", RunsLook()
    going: Journal | None = None
    for run in sorted(runs.iterdir()) if runs.is_dir() else ():
        faults: list[str] = []
        journal = _journal(run, faults)
        if journal and going:
            look.faults.append((f"{going.directory} lacks its end: a later run began", f"run {going.name}"))
        if journal:
            going = None if journal.end else journal
            faults += [*journal_faults(run), *altered_manifests(journal)]
            faults += [*_absent(runs, journal), *_lost_backups(run, journal)]
        elif not faults:
            look.silent.add(run.name)
            faults += _begun(run)
        if journal and journal.end:
            look.ended.add(run.name)
        look.faults += [(fault, f"run {run.name}") for fault in (*faults, *_altered_files(run))]
    return look


def promised_faults(store: StoreDirectory, entry: Entry) -> Iterator[tuple[str, str]]:
    """What an entry of the ledger says that runs have written, and is not there, each with the run.

    Entries of before 0.2.0 say it only of what was adopted.

    Raises:
        StorageError: the disk failed.
    """
    runs, run = store.path / "deploy" / "runs", str(entry.details.get("run", ""))
    if SEAL in entry.details and not fits(runs / run, str(entry.details[SEAL])):
        yield f"the journal of run {run} is not the one that the ledger has: lines are gone or changed", run
    for reference in str(entry.details.get(KEPT, "")).split():
        run, _, name = reference.partition("/")
        if not (path := runs / run / KEPT_FILES / f"{name}.json").is_file():
            yield f"{path} is missing: what Helm installed, which a rollback installs again", run
    adopted = entry.running if entry.action == "adopt" else ()
    for each in (each for each in adopted if each.key in entry.details):
        run, _, name = each.values.partition("/")
        path = runs / run / "adopted" / f"{name}.tgz"
        with storage_errors(path):
            if not path.is_file() or str(Digest.of(path.read_bytes())) != each.archive:
                yield f"{path} is not the chart that was adopted", run
        if not (path := runs / run / VALUES / f"{name}.json").is_file():
            yield f"{path} is missing", run


def _journal(run: Path, faults: list[str]) -> Journal | None:
    try:
        found = Journal.look(run)
    except DamagedError as fault:
        faults.append(str(fault))
        return None
    return found if found and found.plan else None


def _begun(run: Path) -> Iterator[str]:
    """A run that was killed before its first line has called no hook."""
    if any((run / made).is_dir() for made in _BY_HOOKS):
        yield f"the journal of run {run.name} is gone or empty, and its hooks have run"


def _absent(runs: Path, journal: Journal) -> Iterator[str]:
    for side in ("new", "old"):
        for running in journal.plan.get(side, ()):
            run, _, name = str(running.get(_REFERENCE, "")).partition("/")
            if run and not (path := runs / run / VALUES / f"{name}.json").is_file():
                yield f"{path} is missing"


def _lost_backups(run: Path, journal: Journal) -> Iterator[str]:
    """What is in a backup is for its hook to say (`airstore backup verify`); that it is there is not."""
    pruned = run / "backup.pruned"
    made = (event.step.item for event in journal.events if event.step and _is_backup(event))
    for key in () if pruned.exists() else dict.fromkeys(made):
        if not (run / "backup" / key.replace("/", "_")).is_dir():
            yield f"the backup of {key} that run {run.name} made is gone; if on purpose: touch {pruned}"


def _is_backup(event: Event) -> bool:
    return event.status is Status.DONE and event.step is not None and event.step.kind is StepKind.BACKUP


def _altered_files(run: Path) -> Iterator[str]:
    for path in sorted(path for folder in (VALUES, KEPT_FILES) for path in (run / folder).glob("*.json")):
        try:
            with storage_errors(path):
                parse_run_file(path.read_bytes(), path)
        except DamagedError as fault:
            yield str(fault)
