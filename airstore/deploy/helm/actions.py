"""Installing, upgrading, reinstating and uninstalling with the real Helm 3 or 4.

Never ``--atomic`` or ``helm rollback``: Helm would go back by itself, to a revision that its own history may
have lost, with hooks of the wrong release. The rollback is the engine's, from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from airstore.charts.helm.command import SCHEMA_UNCHECKED
from airstore.charts.images.rewrite import Rewriting
from airstore.charts.images.rewrite_stream import post_renderer
from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.literal import literal_chart
from airstore.charts.schemas.references import foreign_references
from airstore.core.durable import write_file
from airstore.core.frozen import frozen
from airstore.core.leftovers import scratch_directory
from airstore.core.parsing import strictjson
from airstore.deploy.helm import secret
from airstore.deploy.helm.calls import HelmCalls
from airstore.deploy.helm.kept import Kept, Standing, kept_record
from airstore.deploy.helm.records import HelmRecords, HelmStatus
from airstore.deploy.model.protocols import ClusterObjects
from airstore.deploy.model.target import CLAIM, ReleaseTarget

_HISTORY = 5  # revisions Helm keeps; a rollback needs none of them
_CONTENT = frozenset({"ConfigMap", "Secret"})  # made again, as Helm does: an apply would leave added keys


class Supplies(Protocol):
    """What a Helm release is made of, out of the store."""

    def chart(self, target: ReleaseTarget) -> bytes:
        """The chart's ``.tgz``, verified."""

    def values(self, target: ReleaseTarget) -> list[bytes]:
        """Values files, later ones win."""

    def rewriting(self, target: ReleaseTarget) -> Rewriting | None:
        """How its image references are rewritten; None where they stay as rendered."""


class Keeping(Protocol):
    """What was really installed, kept by the store."""

    def kept(self, target: ReleaseTarget) -> Kept | None:
        """What Helm installed; None where an older airstore installed it, or nothing was yet."""

    def keep(self, target: ReleaseTarget, kept: Kept) -> None:
        """Keep it, durably."""


@frozen
class HelmActions:
    """Helm on one cluster."""

    calls: HelmCalls
    objects: ClusterObjects
    supplies: Supplies
    keeping: Keeping

    @cached_property
    def records(self) -> HelmRecords:
        """Helm's own records."""
        return HelmRecords(self.objects)

    def install(self, target: ReleaseTarget, *, wait: bool, watch: Callable[[], None] | None = None) -> None:
        """Install or upgrade; whatever state an earlier run left the release in.

        Where the store keeps what the same installation made before (before it was killed, or before an
        uninstall), that is installed, with every value generated then; else the chart is rendered.

        Args:
            target: what is to run.
            wait: until everything is ready, Jobs included.
            watch: called every second meanwhile; what it raises ends Helm, and is raised.

        Raises:
            UsageError: Helm refused or its time was up.
        """
        self._install(target, self._wait if wait else [], watch)

    def reinstate(self, target: ReleaseTarget, *, hooks: bool = True) -> None:
        """Install again the very objects that were installed before, without waiting for them.

        Where Helm has the release, no hook of the chart acts: the data are those of the backup already, and a
        migration must not change them (docs/decisions/0011). Objects that hooks left are put back.

        Args:
            target: what ran before.
            hooks: False: leave even what hooks made.

        Raises:
            UsageError: Helm refused or its time was up.
        """
        there = self._is_there(target)
        if hooks and there:
            self._put_back(target)
        self._install(target, [] if hooks and not there else ["--no-hooks"])

    def turn(self, target: ReleaseTarget) -> None:
        """Before a failed upgrade is rolled back: have Helm see what that upgrade changed.

        Raises:
            AirstoreError: the cluster or Helm did not answer.
        """
        self.records.turn(target, self._settled(target))

    def uninstall(self, target: ReleaseTarget) -> None:
        """Uninstall unless that was done already; volume claims stay, with their Secrets, and so do CRDs.

        Raises:
            UsageError: Helm refused or its time was up.
        """
        found = self.status(target)
        if found is None or found.status == "uninstalled":
            return
        self.records.keep_data(target, found)
        flags = ["--wait", f"--timeout={target.timeout:g}s"]
        self.calls.run(["uninstall", *flags, "--", target.name], target)

    def status(self, target: ReleaseTarget) -> HelmStatus | None:
        """The newest revision; None where there is no such release.

        Raises:
            TransferError, UsageError: the cluster did not answer.
        """
        return self.records.status(target)

    def installed(self, target: ReleaseTarget) -> Kept | None:
        """What Helm's own record says is installed; None where there is no such release."""
        record = self.records.newest(target)
        return kept_record(record) if record else None

    def _install(
        self, target: ReleaseTarget, flags: Sequence[str], watch: Callable[[], None] | None = None
    ) -> None:
        kept = self.keeping.kept(target)
        self._settled(target)
        with scratch_directory("apply") as scratch:
            chart, more = self.supplies.chart(target), list[str]()
            if kept:
                chart = literal_chart(read_chart(chart), kept.stream)
            else:
                more = self._rewriting(target, Path(scratch, "rewriting.json"))
                more += [SCHEMA_UNCHECKED] if foreign_references(chart) else []
            self._upgrade(target, chart, [*flags, *more], Path(scratch), watch)
        self._keep(target)

    def standing(self, target: ReleaseTarget) -> Standing:
        """What Helm has installed, and how it will go on."""
        record = self.records.newest(target)
        return Standing(kept_record(record) if record else None, self._on_server(record))

    def reinstates(self, target: ReleaseTarget) -> tuple[Mapping[str, Any], ...]:
        """What `reinstate` would install, objects of hooks included; Secrets only where it was kept."""
        kept = self.keeping.kept(target)
        if kept and self._is_there(target):
            return (*kept.documents(), *kept.left_by_hooks())
        if kept:
            return tuple(each for each in kept.everything() if isinstance(each, dict))
        return tuple(each for each in target.documents() if each.get("kind") != "Secret")

    def _is_there(self, target: ReleaseTarget) -> bool:
        found = self.status(target)
        return found is not None and found.status != "uninstalled"

    def _put_back(self, target: ReleaseTarget) -> None:
        """What hooks made, as it was; what holds data or other objects is changed and never deleted."""
        kept = self.keeping.kept(target)
        for document in kept.left_by_hooks() if kept else ():
            if document.get("kind") in _CONTENT:
                self.objects.remove(document, target.namespace)
            self.objects.apply(document, target.namespace)

    def _upgrade(
        self,
        target: ReleaseTarget,
        chart: bytes,
        more: Sequence[str],
        scratch: Path,
        watch: Callable[[], None] | None = None,
    ) -> None:
        packed = Path(scratch, "chart.tgz")
        write_file(packed, chart)
        flags = [f"--timeout={target.timeout:g}s", "--skip-crds", f"--history-max={_HISTORY}", *more]
        flags += self._conflicts(self.records.newest(target))
        for number, content in enumerate(self.supplies.values(target)):
            path = Path(scratch, f"values-{number}.yaml")
            write_file(path, content, mode=0o600)
            flags.append(f"--values={path}")
        words = ["upgrade", "--install", *flags, "--", target.name, str(packed)]
        self.calls.run(words, target, watch, read=(scratch,))

    def _keep(self, target: ReleaseTarget) -> None:
        kept = self.installed(target)
        if kept:
            self.keeping.keep(target, kept)

    def _on_server(self, newest: Mapping[str, Any] | None) -> bool:
        """Whether Helm goes on with server-side apply.

        Helm 3 knows none. Helm 4 goes on with the method of the newest revision: one that Helm 3 wrote, or
        that says ``csa``, is patched from here (helm.sh/helm/v4 pkg/action/upgrade.go,
        ``getUpgradeServerSideValue``).
        """
        if self.calls.major < 4:
            return False
        fresh = newest is None or (newest.get("info") or {}).get("status") == "uninstalled"
        return fresh or (newest or {}).get("apply_method") == "ssa"

    def _conflicts(self, newest: Mapping[str, Any] | None) -> list[str]:
        """Replicas that `stop_writers` set, or a person, must not stop an upgrade.

        Where objects are patched from here there are no conflicts, and Helm 4 refuses the flag.
        """
        return ["--force-conflicts"] if self._on_server(newest) else []

    def _rewriting(self, target: ReleaseTarget, path: Path) -> list[str]:
        rules = self.supplies.rewriting(target)
        if rules is None:
            return []
        write_file(path, strictjson.dumps(rules.to_json()), mode=0o600)
        return self.calls.helm.post_renderer(post_renderer(path))

    @property
    def _wait(self) -> list[str]:
        return ["--wait=watcher" if self.calls.major >= 4 else "--wait", "--wait-for-jobs"]

    def _settled(self, target: ReleaseTarget) -> HelmStatus | None:
        return self.records.settled(target, self.uninstall)


def protect_claims(objects: ClusterObjects, old: ReleaseTarget, new: ReleaseTarget) -> None:
    """Volume claims that the new chart no longer has would be deleted by Helm, and no rollback would hold.

    Raises:
        AirstoreError: the cluster did not answer.
    """
    for name in sorted(old.claims() - new.claims()):
        document = {"apiVersion": "v1", "kind": CLAIM, "metadata": {"name": name}}
        if objects.live(document, old.namespace) is not None:
            metadata = {"name": name, "annotations": dict(secret.KEEP)}
            objects.apply({**document, "metadata": metadata}, old.namespace)
