"""What runs against the cluster have written down: is it readable, and what they wrote?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError
from airstore.deploy.model.run_files import KEPT, VALUES, parse_run_file
from airstore.deploy.run.intent import altered_manifests
from airstore.deploy.run.journal import Journal
from airstore.ops.stores.directory import StoreDirectory

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
            faults += [*altered_manifests(journal), *_absent(runs, journal)]
        elif not faults:
            look.silent.add(run.name)
        if journal and journal.end:
            look.ended.add(run.name)
        look.faults += [(fault, f"run {run.name}") for fault in (*faults, *_altered_files(run))]
    return look


def _journal(run: Path, faults: list[str]) -> Journal | None:
    try:
        found = Journal.look(run)
    except DamagedError as fault:
        faults.append(str(fault))
        return None
    return found if found and found.plan else None


def _absent(runs: Path, journal: Journal) -> Iterator[str]:
    for side in ("new", "old"):
        for running in journal.plan.get(side, ()):
            run, _, name = str(running.get(_REFERENCE, "")).partition("/")
            if run and not (path := runs / run / VALUES / f"{name}.json").is_file():
                yield f"{path} is missing"


def _altered_files(run: Path) -> Iterator[str]:
    for path in sorted(path for folder in (VALUES, KEPT) for path in (run / folder).glob("*.json")):
        try:
            with storage_errors(path):
                parse_run_file(path.read_bytes(), path)
        except DamagedError as fault:
            yield str(fault)
