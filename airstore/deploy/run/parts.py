"""What the steps of a run act on: Helm, a cluster and hooks, as far as they need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from airstore.core.kube.documents import Document
from airstore.deploy.helm.kept import Standing
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.hooks.runner import Hook, Watching
from airstore.deploy.model.protocols import ClusterObjects, ClusterWorkloads, Pulling, Rehearsing
from airstore.deploy.model.target import ReleaseTarget


class HelmReleases(Protocol):
    """Helm; `airstore.deploy.helm.actions.HelmActions` is the real one."""

    def install(self, target: ReleaseTarget, *, wait: bool, watch: Callable[[], None] | None = None) -> None:
        """Install or upgrade, whatever state an earlier run left it in; what ``watch`` raises ends it."""

    def reinstate(self, target: ReleaseTarget) -> None:
        """Install again the very objects that were installed before; no hook of the chart acts on data."""

    def turn(self, target: ReleaseTarget) -> None:
        """Before the old chart follows a failed upgrade: see to it that nothing of that will be left."""

    def uninstall(self, target: ReleaseTarget) -> None:
        """Uninstall unless that was done already; volume claims stay."""

    def status(self, target: ReleaseTarget) -> HelmStatus | None:
        """The newest revision; None where there is no such release."""

    def standing(self, target: ReleaseTarget) -> Standing:
        """What Helm has installed, and how it will go on."""

    def reinstates(self, target: ReleaseTarget) -> tuple[Document, ...]:
        """What `reinstate` would install, what hooks made included."""


class Hooks(Protocol):
    """Runs hooks; `airstore.deploy.hooks.runner.HookRunner` is the real one."""

    def run(self, hook: Hook, watching: Watching) -> None:
        """Run one hook to its end."""

    def end(self, target: ReleaseTarget) -> None:
        """End what an airstore that was killed left running of a Helm release's hooks."""


class Cluster(ClusterObjects, ClusterWorkloads, Rehearsing, Pulling, Protocol):
    """What the steps themselves ask of a cluster; `SiteCluster` of `airstore.ops.apply.session` is one."""
