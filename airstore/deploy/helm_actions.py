"""Installing, upgrading and uninstalling with the real Helm 3 or 4.

Never ``--atomic`` or ``helm rollback``: Helm would go back by itself, to a revision that its own history may
have lost, with hooks of the wrong release. The way back is the engine's, from the store.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from airstore.charts.helm import Helm
from airstore.charts.rewrite import Rewriting
from airstore.charts.rewrite_stream import post_renderer
from airstore.core import strictjson
from airstore.core.durable import write_file
from airstore.core.errors import DamagedError
from airstore.deploy import secret
from airstore.deploy.protocols import Objects
from airstore.deploy.target import CLAIM, Target

_GRACE = 60.0  # seconds for Helm to notice its own time-out
_HISTORY = 5  # revisions Helm keeps; the way back needs none of them
_LISTED = 256  # revisions that are listed at most
_TURNED = "turned back by airstore: what it changed is compared with the chart before it"


class Supplies(Protocol):
    """What a Helm release is made of, out of the store."""

    def chart(self, target: Target) -> bytes:
        """The chart's ``.tgz``, verified."""

    def values(self, target: Target) -> list[bytes]:
        """Values files, later ones win."""

    def rewriting(self, target: Target) -> Rewriting | None:
        """How its image references are rewritten; None where they stay as rendered."""


@dataclass(frozen=True)
class HelmStatus:
    """What Helm says about a release.

    Attributes:
        status: such as ``deployed``, ``failed``, ``pending-upgrade``.
        chart: ``NAME-VERSION``.
        description: what Helm, or airstore, says about it.
    """

    revision: int
    status: str
    chart: str
    description: str = ""


@dataclass(frozen=True)
class HelmActions:
    """Helm on one cluster.

    Attributes:
        kubeconfig: None inside a cluster.
        guard: lock file that every Helm holds while it runs.
    """

    helm: Helm
    objects: Objects
    supplies: Supplies
    kubeconfig: Path | None
    guard: Path = field(repr=False)

    def install(self, target: Target, *, wait: bool) -> None:
        """Install or upgrade; whatever state an earlier run left the release in.

        Args:
            target: what is to run.
            wait: until everything is ready, Jobs included.

        Raises:
            UsageError: Helm refused or its time was up.
        """
        self._repair(target)
        with tempfile.TemporaryDirectory(prefix="airstore-apply-") as scratch:
            chart = Path(scratch, "chart.tgz")
            write_file(chart, self.supplies.chart(target))
            flags = [f"--timeout={target.timeout:g}s", "--skip-crds", f"--history-max={_HISTORY}"]
            # Replicas that `stop_writers` set, or a person, must not stop an upgrade; Helm 3 never asks.
            flags += ["--force-conflicts"] if self._major >= 4 else []
            flags += self._wait if wait else []
            for number, content in enumerate(self.supplies.values(target)):
                path = Path(scratch, f"values-{number}.yaml")
                write_file(path, content, mode=0o600)
                flags.append(f"--values={path}")
            flags += self._rewriting(target, Path(scratch, "rewriting.json"))
            self._run(["upgrade", "--install", *flags, "--", target.name, str(chart)], target)

    def turn(self, target: Target) -> None:
        """Before the way back from an upgrade that failed: have Helm see what that upgrade changed.

        Helm compares a chart with the newest *deployed* revision. After a failed upgrade that is the old
        chart itself, and every object and (Helm 3) field that the upgrade brought would be left. So the
        failed revision counts as deployed, until the old chart is. A second attempt finds it so.

        Raises:
            AirstoreError: the cluster or Helm did not answer.
        """
        self._repair(target)
        found = self.status(target)
        if found is None or found.status != "failed":
            return
        before = [each for each in self._history(target) if each.status == "deployed"]
        if before and before[-1].description != _TURNED:
            self._mark(target, found, "deployed")
            for each in before:
                self._mark(target, each, "superseded")

    def uninstall(self, target: Target) -> None:
        """Uninstall unless that was done already; volume claims stay, and so do CRDs.

        Raises:
            UsageError: Helm refused or its time was up.
        """
        found = self.status(target)
        if found is None or found.status == "uninstalled":
            return
        self._keep_claims(target, found)
        flags = ["--wait", f"--timeout={target.timeout:g}s"]
        self._run(["uninstall", *flags, "--", target.name], target)

    def status(self, target: Target) -> HelmStatus | None:
        """The newest revision; None where there is no such release.

        Raises:
            TransferError, UsageError: the cluster did not answer.
        """
        # `helm history` fails where there is none, with words of its own; an empty list says it plainly.
        pattern = f"^{target.name}$"
        flags = ["--all"] if self._major < 4 else []  # Helm 4 lists every state
        text = self._run(["list", *flags, f"--filter={pattern}", "--output=json"], target)
        found = json.loads(text) or []
        if not found:
            return None
        return HelmStatus(int(found[0]["revision"]), str(found[0]["status"]), str(found[0]["chart"]))

    def _rewriting(self, target: Target, path: Path) -> list[str]:
        rules = self.supplies.rewriting(target)
        if rules is None:
            return []
        write_file(path, strictjson.dumps(rules.to_json()), mode=0o600)
        return self.helm.post_renderer(post_renderer(path))

    @cached_property
    def _major(self) -> int:
        return self.helm.version()[0]

    @property
    def _wait(self) -> list[str]:
        return ["--wait=watcher" if self._major >= 4 else "--wait", "--wait-for-jobs"]

    def _repair(self, target: Target) -> None:
        """End what a killed run left ``pending-*`` or half uninstalled; the caller holds the Lease."""
        found = self.status(target)
        if found is None:
            return
        if found.status == "uninstalling":
            self.uninstall(target)
        elif found.status.startswith("pending-"):
            stored = self._stored(target, found)
            if changed := secret.end_pending(stored):
                self.objects.apply(changed, target.namespace)

    def _history(self, target: Target) -> list[HelmStatus]:
        text = self._run(["history", f"--max={_LISTED}", "--output=json", "--", target.name], target)
        return [
            HelmStatus(int(each["revision"]), each["status"], each["chart"], each["description"])
            for each in json.loads(text)
        ]

    def _mark(self, target: Target, revision: HelmStatus, status: str) -> None:
        stored = self._stored(target, revision)
        self.objects.apply(secret.with_status(stored, status, _TURNED), target.namespace)

    def _keep_claims(self, target: Target, found: HelmStatus) -> None:
        if changed := secret.keep_claims(self._stored(target, found)):
            self.objects.apply(changed, target.namespace)

    def _stored(self, target: Target, found: HelmStatus) -> dict[str, object]:
        wanted = secret.reference(target.name, found.revision)
        stored = self.objects.live(wanted, target.namespace)
        if stored is None:
            raise DamagedError(f"Helm lists {target.name} revision {found.revision}, but its Secret is gone")
        return stored

    def _run(self, arguments: Sequence[str], target: Target) -> str:
        flags = [f"--namespace={target.namespace}"]
        flags += [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        command, *rest = arguments
        what = f"{command} {target.running.key}"
        timeout = target.timeout + _GRACE
        return self.helm.run([command, *flags, *rest], what, timeout=timeout, guard=self.guard)


def protect_claims(objects: Objects, old: Target, new: Target) -> None:
    """Volume claims that the new chart no longer has would be deleted by Helm, and no way back would hold.

    Raises:
        AirstoreError: the cluster did not answer.
    """
    for name in sorted(old.claims() - new.claims()):
        document = {"apiVersion": "v1", "kind": CLAIM, "metadata": {"name": name}}
        if objects.live(document, old.namespace) is not None:
            metadata = {"name": name, "annotations": dict(secret.KEEP)}
            objects.apply({**document, "metadata": metadata}, old.namespace)
