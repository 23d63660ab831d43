"""What the engine acts on: Helm, a cluster, hooks; and what one run is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from airstore.core.kube.documents import Document
from airstore.deploy.helm.actions import Supplies
from airstore.deploy.helm.kept import Standing
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.hooks.runner import Hook, Watching
from airstore.deploy.model.protocols import Held, Objects, Rehearsing, Workloads
from airstore.deploy.model.target import Target
from airstore.deploy.run.steps import Item, Run
from airstore.deploy.waiting.health import Clock
from airstore.deploy.waiting.watching import Display, Silent


class HelmReleases(Protocol):
    """Helm; `airstore.deploy.helm.actions.HelmActions` is the real one."""

    def install(self, target: Target, *, wait: bool, watch: Callable[[], None] | None = None) -> None:
        """Install or upgrade, whatever state an earlier run left it in; what ``watch`` raises ends it."""

    def reinstate(self, target: Target) -> None:
        """Install again the very objects that were installed before; no hook of the chart acts on data."""

    def turn(self, target: Target) -> None:
        """Before the old chart follows a failed upgrade: see to it that nothing of that will be left."""

    def uninstall(self, target: Target) -> None:
        """Uninstall unless that was done already; volume claims stay."""

    def status(self, target: Target) -> HelmStatus | None:
        """The newest revision; None where there is no such release."""

    def standing(self, target: Target) -> Standing:
        """What Helm has installed, and how it will go on."""

    def reinstates(self, target: Target) -> tuple[Document, ...]:
        """What `reinstate` would install, what hooks made included."""


class Hooks(Protocol):
    """Runs hooks; `airstore.deploy.hooks.runner.HookRunner` is the real one."""

    def run(self, hook: Hook, watching: Watching) -> None:
        """Run one hook to its end."""

    def end(self, target: Target) -> None:
        """End what an airstore that was killed left running of a Helm release's hooks."""


class Cluster(Objects, Workloads, Rehearsing, Protocol):
    """What the engine itself asks of a cluster."""


@dataclass(frozen=True)
class World:
    """Everything outside that the engine acts on.

    Attributes:
        let_pull: makes pods of a namespace able to pull; called before anything is installed there.
        display: shows how far a step has come.
    """

    helm: HelmReleases
    cluster: Cluster
    hooks: Hooks
    supplies: Supplies
    clock: Clock
    held: Held
    let_pull: Callable[[str], None]
    display: Display = field(default_factory=Silent)


@dataclass(frozen=True)
class Course:
    """What a run is about, with everything it takes to do its steps.

    Attributes:
        run: the items.
        new: key to Helm release as it is to be; of a rollback on demand, as it is now.
        old: key to Helm release as it was; of a rollback on demand, as it is to be again.
        previous: the version of the product that ``old`` is.
        backups: directory of the run's own backups, one below it for each item.
    """

    run: Run
    new: Mapping[str, Target]
    old: Mapping[str, Target]
    previous: str
    backups: Path

    def item(self, key: str) -> Item:
        """One item by its key."""
        return next(item for item in self.run.items if item.key == key)

    def backup(self, key: str) -> Path:
        """Where the backup of an item is, or goes."""
        earlier = self.item(key).backup
        return Path(earlier) if earlier else self.backups / key.replace("/", "_")
