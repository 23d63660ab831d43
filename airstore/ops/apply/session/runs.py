"""Where runs against the cluster are kept, below ``STORE/deploy``.

::

    guard.lock                    held by every Helm and hook while it runs
    runs/RUN/journal.jsonl        what was done (`airstore.deploy.run.journal`)
    runs/RUN/values/NAME.json     values a Helm release was applied with, and its rewriting, mode 0600
    runs/RUN/kept/NAME.json       what Helm really installed of it, Secrets in plain text, mode 0600
    runs/RUN/new|old/NS_NAME.yaml manifests, Secrets redacted
    runs/RUN/backup/NS_NAME/      what the backup hook wrote
    runs/RUN/logs/                what hooks said, secrets redacted
"""

from __future__ import annotations

import calendar
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airstore.core.durable import make_directory, storage_errors, write_file
from airstore.core.errors import DamagedError
from airstore.core.release import HelmRelease, Release
from airstore.deploy.model.target import Target
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import Item, Mode
from airstore.history.ledger import Running
from airstore.ops.stores.directory import StoreDirectory

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_TIME, _STAMP = "%Y%m%dT%H%M%SZ", 16  # of a run's name, and its length


@dataclass(frozen=True)
class RunPlan:
    """What a run is about, as the first line of its journal says it.

    Attributes:
        version: of the product, that ``new`` is; empty for an uninstall.
        previous: that ``old`` is; empty before the first one.
        items: action and data to restore (a place in the store), by key, in order.
        skipped: keys whose data the operator gave up: neither backed up nor restored.
        abandoned: keys that a rollback stops and does not install again.
    """

    mode: Mode
    version: str
    previous: str
    items: tuple[tuple[str, str, str], ...]
    new: tuple[Running, ...] = field(repr=False)
    old: tuple[Running, ...] = field(repr=False)
    skipped: frozenset[str] = frozenset()
    abandoned: frozenset[str] = frozenset()

    @property
    def outcome(self) -> tuple[str, tuple[Running, ...]]:
        """Version and Helm releases that run when it succeeds."""
        if self.mode is Mode.UNINSTALL:
            return self.previous, ()
        return (self.previous, self.old) if self.mode is Mode.ROLLBACK else (self.version, self.new)


class Runs:
    """The runs of one store."""

    def __init__(self, store: StoreDirectory) -> None:
        self._store = store
        self.directory = store.path / "deploy" / "runs"
        self.guard = store.path / "deploy" / "guard.lock"

    def name(self, now: int) -> str:
        """A name for a new run; names sort in the order of runs, even if the clock stands or goes back."""
        there = self.directory.iterdir() if self.directory.is_dir() else ()
        newest = max((path.name for path in there if _NAME.fullmatch(path.name)), default="")
        last = calendar.timegm(time.strptime(newest[:_STAMP], _TIME)) if newest else -1
        return f"{time.strftime(_TIME, time.gmtime(max(now, last + 1)))}-{secrets.token_hex(4)}"

    def begin(self, run: str, plan: RunPlan) -> Journal:
        """Write everything a run needs to be resumed, and then the journal's first line."""
        directory = self._private(self.directory / run)
        for side, all_running in (("new", plan.new), ("old", plan.old)):
            for running in all_running:
                write_file(directory / side / _file(running.key), running.rendered.encode(), mode=0o600)
        document = {
            "mode": plan.mode,
            "version": plan.version,
            "previous": plan.previous,
            "items": [list(item) for item in plan.items],
            "skipBackup": sorted(plan.skipped),
            "skipReinstate": sorted(plan.abandoned),
            "new": [running.to_json() for running in plan.new],
            "old": [running.to_json() for running in plan.old],
        }
        return Journal.begin(directory, document)

    def plan(self, journal: Journal) -> RunPlan:
        """What a run is about.

        Raises:
            DamagedError: its first line, or a file that belongs to it, does not read.
        """
        try:
            document = journal.plan
            return RunPlan(
                Mode(document["mode"]),
                document["version"],
                document["previous"],
                tuple((str(key), str(action), str(backup)) for key, action, backup in document["items"]),
                _read_side(journal.directory / "new", document["new"]),
                _read_side(journal.directory / "old", document["old"]),
                frozenset(map(str, document.get("skipBackup", ()))),
                frozenset(map(str, document.get("skipReinstate", ()))),
            )
        except (KeyError, ValueError, TypeError, OSError) as fault:
            raise DamagedError(f"the plan of run {journal.name} does not read: {fault}") from fault

    def _private(self, directory: Path) -> Path:
        with storage_errors(directory):
            make_directory(directory)
            directory.chmod(0o700)
            directory.parent.parent.chmod(0o700)
        return directory


def items(plan: RunPlan, new: Mapping[str, Target], old: Mapping[str, Target]) -> tuple[Item, ...]:
    """What the state machine is told of each Helm release of a run."""
    ranks = {key: rank for rank, key in enumerate(old)}
    return tuple(
        Item(
            key,
            action,
            tuple(sorted(_needs(new, key) | _needs(old, key))),
            frozenset(new[key].helm.hooks) if key in new else frozenset(),
            backup,
            ranks.get(key, len(ranks)),
            key in plan.skipped,
            key in plan.abandoned,
        )
        for key, action, backup in plan.items
    )


def _needs(side: Mapping[str, Target], key: str) -> set[str]:
    """Keys that a Helm release needs in one of the two states."""
    names = side[key].helm.needs if key in side else ()
    return {other for other, target in side.items() if target.name in names}


def targets(all_running: Iterable[Running], release: Release | None) -> dict[str, Target]:
    """Key to Helm release, with what a release of the product says about each."""
    helms = {helm.name: helm for helm in release.helm_releases} if release else {}
    version = release.version if release else ""
    found = {}
    for running in all_running:
        helm = helms.get(running.name) or HelmRelease(running.name, running.namespace, running.chart)
        found[running.key] = Target(running, helm, version)
    return found


def _read_side(directory: Path, documents: Iterable[Mapping[str, str]]) -> tuple[Running, ...]:
    found = []
    for document in documents:
        path = directory / _file(f"{document['namespace']}/{document['name']}")
        found.append(Running.from_json(document, path.read_text(encoding="utf-8")))
    return tuple(found)


def _file(key: str) -> str:
    return key.replace("/", "_") + ".yaml"
