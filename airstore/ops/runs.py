"""Where runs against the cluster are kept, below ``STORE/deploy``.

::

    guard.lock                    held by every Helm and hook while it runs
    runs/RUN/journal.jsonl        what was done (`airstore.deploy.journal`)
    runs/RUN/values/NAME.json     values a Helm release was applied with, and its rewriting, mode 0600
    runs/RUN/kept/NAME.json       what Helm really installed of it, Secrets in plain text, mode 0600
    runs/RUN/new|old/NS_NAME.yaml manifests, Secrets redacted
    runs/RUN/backup/NS_NAME/      what the backup hook wrote
    runs/RUN/logs/                what hooks said, secrets redacted
"""

from __future__ import annotations

import base64
import calendar
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from airstore.charts.rewrite import Rewriting
from airstore.core import strictjson
from airstore.core.durable import make_directory, storage_errors, write_file
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.limits import LIMITS
from airstore.core.release import HelmRelease, Release
from airstore.deploy.backups import relative
from airstore.deploy.journal import Journal
from airstore.deploy.kept import Kept
from airstore.deploy.ledger import Running
from airstore.deploy.redact import Redactor
from airstore.deploy.steps import Item, Mode, Run
from airstore.deploy.target import Target
from airstore.deploy.world import Course
from airstore.ops.directory import StoreDirectory
from airstore.ops.prepare import Prepared
from airstore.ops.trusted import trusted_release
from airstore.store.blobs import BlobStore

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
    """

    mode: Mode
    version: str
    previous: str
    items: tuple[tuple[str, str, str], ...]
    new: tuple[Running, ...] = field(repr=False)
    old: tuple[Running, ...] = field(repr=False)
    skipped: frozenset[str] = frozenset()

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

    def keep_values(self, run: str, prepared: Prepared) -> Running:
        """Keep a Helm release's values with a run; returns the Helm release that names them."""
        reference = f"{run}/{prepared.running.name}"
        known = {"secrets": sorted(prepared.secrets), "kubeVersion": prepared.kube_version}
        document = {**known, **_inputs(prepared)}
        self._private(self.directory / run)
        write_file(self._values_path(reference), strictjson.dumps(document), mode=0o600)
        return Running.from_json(
            {**prepared.running.to_json(), "values": reference}, prepared.running.rendered
        )

    def renew(self, run: str, running: Running, prepared: Prepared) -> Running:
        """What stays as it is: the same, unless the images of its hooks are to be found elsewhere now."""
        if not running.values or self.same_hooks(running, prepared):
            return running
        renewed = replace(running, values=self.keep_values(run, prepared).values)
        if kept := self.kept(running):
            self.keep(renewed, kept)
        return renewed

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
            )
        except (KeyError, ValueError, TypeError, OSError) as fault:
            raise DamagedError(f"the plan of run {journal.name} does not read: {fault}") from fault

    def values(self, running: Running) -> list[bytes]:
        """Values files that a Helm release was applied with, later ones win.

        Raises:
            NotFoundError: the store no longer has them.
        """
        return [base64.b64decode(each) for each in self._values(running)["values"]]

    def rewriting(self, running: Running, *, hooks: bool = False) -> Rewriting | None:
        """How a Helm release's image references, or its hooks', were rewritten when it was applied.

        Raises:
            NotFoundError: the store no longer has it.
        """
        document = self._values(running).get("hookRewriting" if hooks else "rewriting")
        return Rewriting.from_json(document) if document else None

    def redactor(self, all_running: Iterable[Running]) -> Redactor:
        """Knows the secrets in the values of Helm releases."""
        known = [self._values(running)["secrets"] for running in all_running if running.values]
        return Redactor(frozenset(text for each in known for text in each))

    def same_inputs(self, running: Running, prepared: Prepared) -> bool:
        """Whether a Helm release was applied with the same chart, values and rewriting as are wanted now.

        What it renders to is not asked: random values, dates and ``lookup`` would make it another one each
        time.
        """
        if running.archive != prepared.running.archive or not self._values_path(running.values).is_file():
            return False
        known, wanted = self._values(running), _inputs(prepared)
        if _moved(
            known.get("kubeVersion"), prepared.kube_version
        ):  # charts may render otherwise on a newer cluster
            return running.rendered == prepared.running.rendered
        return known.get("values") == wanted["values"] and _covers(
            known.get("rewriting"), wanted["rewriting"]
        )

    def same_hooks(self, running: Running, prepared: Prepared) -> bool:
        """Whether the images of its hooks' Jobs are rewritten as they were when it was applied."""
        return bool(self._values(running).get("hookRewriting") == _inputs(prepared)["hookRewriting"])

    def kept(self, running: Running) -> Kept | None:
        """What Helm really installed; None where an older airstore did not keep it, or nothing was installed.

        Raises:
            DamagedError: it does not read.
        """
        path = self._kept_path(running.values) if running.values else None
        if path is None or not path.is_file():
            return None
        with storage_errors(path):
            return Kept.from_json(strictjson.load_object(path.read_bytes(), str(path)))

    def keep(self, running: Running, kept: Kept) -> None:
        """Keep what Helm really installed, over what was kept of an earlier revision of it."""
        path = self._kept_path(running.values)
        self._private(path.parents[1])
        write_file(path, strictjson.dumps(kept.to_json()), mode=0o600)

    def _values(self, running: Running) -> dict[str, Any]:
        path = self._values_path(running.values)
        try:
            data = path.read_bytes()
        except OSError as fault:
            raise NotFoundError(
                f"the values that {running.key} was applied with cannot be read: {path}: {fault.strerror}"
            ) from fault
        return strictjson.load_object(data, str(path))

    def _values_path(self, reference: str) -> Path:
        return self._path(reference, "values")

    def _kept_path(self, reference: str) -> Path:
        return self._path(reference, "kept")

    def _path(self, reference: str, folder: str) -> Path:
        run, _, name = reference.partition("/")
        if not _NAME.fullmatch(run) or "/" in name or not name:
            raise DamagedError(f"{reference!r} does not name values of a run")
        return self.directory / run / folder / f"{name}.json"

    def _private(self, directory: Path) -> Path:
        with storage_errors(directory):
            make_directory(directory)
            directory.chmod(0o700)
            directory.parent.parent.chmod(0o700)
        return directory


class StoreSupplies:
    """Charts, values and hooks out of the store, each verified when it is read."""

    def __init__(self, store: StoreDirectory, blobs: BlobStore, runs: Runs) -> None:
        self._store = store
        self._blobs = blobs
        self._runs = runs
        self.release = cache(self._release)

    def chart(self, target: Target) -> bytes:
        """See `airstore.deploy.helm_actions.Supplies`."""
        release = self.release(target.version)
        digests = {str(chart.archive.digest): chart.archive.digest for chart in release.charts}
        digest = digests.get(str(target.running.archive))
        if digest is None:  # unchanged since an earlier version that packed the same chart anew
            raise NotFoundError(f"release {target.version} has no chart {target.running.archive}")
        return self._blobs.read_bytes(digest, LIMITS.chart_archive)

    def values(self, target: Target) -> list[bytes]:
        """See `airstore.deploy.helm_actions.Supplies`."""
        return self._runs.values(target.running)

    def kept(self, target: Target) -> Kept | None:
        """See `airstore.deploy.helm_actions.Keeping`."""
        return self._runs.kept(target.running)

    def keep(self, target: Target, kept: Kept) -> None:
        """See `airstore.deploy.helm_actions.Keeping`."""
        self._runs.keep(target.running, kept)

    def rewriting(self, target: Target) -> Rewriting | None:
        """See `airstore.deploy.helm_actions.Supplies`."""
        return self._runs.rewriting(target.running)

    def hook_rewriting(self, target: Target) -> Rewriting | None:
        """See `airstore.deploy.hooks.Scripts`."""
        return self._runs.rewriting(target.running, hooks=True)

    def hook(self, target: Target, name: str) -> bytes:
        """See `airstore.deploy.hooks.Scripts`."""
        release = self.release(target.version)
        commit = self._store.history.find(release.version).commit
        return self._store.history.read(commit, target.helm.hooks[name])

    def _release(self, version: str) -> Release:
        return trusted_release(self._store, version)

    def course(self, plan: RunPlan, directory: Path) -> Course:
        """Everything it takes to do the steps of a run."""
        new = targets(plan.new, self.release(plan.version) if plan.version else None)
        old = targets(plan.old, self.release(plan.previous) if plan.previous else None)
        found = tuple(
            replace(item, backup=str(self._store.path / relative(item.backup))) if item.backup else item
            for item in items(plan, new, old)
        )
        return Course(Run(found, plan.mode), new, old, plan.previous, directory / "backup")


def _inputs(prepared: Prepared) -> dict[str, Any]:
    """What decides, besides the chart, how a Helm release is installed."""
    return {
        "values": [base64.b64encode(each).decode() for each in prepared.values],
        "rewriting": prepared.rewriting.to_json() if prepared.rewriting else None,
        "hookRewriting": prepared.hook_rewriting.to_json() if prepared.hook_rewriting else None,
    }


def _moved(known: object, now: str) -> bool:
    """Whether the cluster has another minor version; False where one of them is not known."""
    return bool(known and now) and str(known).split(".")[:2] != now.split(".")[:2]


def _covers(known: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None) -> bool:
    """Whether rewriting by what is known gives what is wanted; it may know images that are not asked for."""
    if known is None or wanted is None:
        return known is wanted
    places = all(known[key] == wanted[key] for key in ("place", "pullSecret"))
    return places and wanted["images"].items() <= known["images"].items()


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
