"""A site in memory that an engine with a real journal drives, and what becomes of its calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airstore.core.errors import TransferError
from airstore.core.model.gates import WorkloadGate
from airstore.core.model.release import HelmRelease
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.run.engine import Announcer, Engine, StepActions
from airstore.deploy.run.helm_steps import HelmSteps
from airstore.deploy.run.hook_steps import HookSteps
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import End, Item, Run
from airstore.deploy.run.transition import Transition
from airstore.deploy.run.waits import Waits
from airstore.deploy.run.workload_steps import WorkloadSteps
from airstore.deploy.waiting.watching import Silent
from tests.support.kubernetes.conformance import claim, config, workload
from tests.support.kubernetes.deploy_world import (
    AlwaysHeld,
    FastClock,
    MemoryCluster,
    MemoryHelm,
    MemoryHooks,
    MemorySupplies,
    make_target,
)

HOOKS = {name: f"hooks/{name}" for name in ("preUpgrade", "verifyBackup", "postUpgrade", "rollback")}
NAMES = ("db", "api", "web")
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.com"},
    "spec": {"versions": [{"name": "v1", "served": True, "storage": True}]},
}


class KilledError(BaseException):
    """kill -9, as far as code in this process can tell."""


@dataclass
class Fate:
    """What becomes of calls to the outside, and of lines of the journal.

    Attributes:
        draw: gives ``done``, or ``failed``, ``failed-after``, ``killed``, ``killed-after``.
    """

    draw: Callable[[], str]
    met: list[str] = field(default_factory=list)

    def wrap(self, inner: Any, *names: str) -> Any:
        """The same object; calls of these names may fail or be killed, before or after their work."""
        fate = self

        class Faulty:
            def __getattr__(self, name: str) -> Any:
                return fate.call(getattr(inner, name)) if name in names else getattr(inner, name)

        return Faulty()

    def call(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            what = self.draw()
            self.met.append(what)
            if what in {"failed", "killed"}:
                raise KilledError if what == "killed" else TransferError("it broke off")
            result = function(*arguments, **options)
            if what in {"failed-after", "killed-after"}:
                raise KilledError if what == "killed-after" else TransferError("it broke off afterwards")
            return result

        return called


@dataclass
class Place:
    """A site in memory where 1.0.0 runs."""

    cluster: MemoryCluster = field(default_factory=MemoryCluster)
    supplies: MemorySupplies = field(default_factory=MemorySupplies)
    old: dict[str, ReleaseTarget] = field(default_factory=dict)
    new: dict[str, ReleaseTarget] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.helm = MemoryHelm(self.cluster)
        self.hooks = MemoryHooks({"shop/db": "data of 1.0.0"})
        for name in (*NAMES, "left"):
            self.old[f"shop/{name}"] = self._target(name, "1.0.0")
        for name in (*NAMES, "added"):
            self.new[f"shop/{name}"] = self._target(name, "1.1.0")
        for target in self.old.values():
            self.helm.install(target, wait=True)
        self.before = self.picture()

    def _target(self, name: str, version: str) -> ReleaseTarget:
        helm = HelmRelease(
            name,
            "shop",
            name,
            timeout="20s",
            hooks=HOOKS if name == "db" else {},
            health=(WorkloadGate("deployment", name),),
        )
        documents = [config(f"{name}-config", version=version), workload("Deployment", name), claim(name)]
        target, chart = make_target(helm, version, documents, [CRD] if name == "web" else [])
        self.supplies.charts[target.running.key, version] = chart
        return target

    def transition(self, backups: Path) -> Transition:
        """From 1.0.0 to 1.1.0."""
        items = [
            Item("shop/db", "change", (), frozenset(HOOKS), rank=0),
            Item("shop/api", "change", ("shop/db",), rank=1),
            Item("shop/added", "install", ("shop/db",), rank=9),
            Item("shop/web", "change", ("shop/api",), rank=2),
            Item("shop/left", "remove", rank=3),
        ]
        return Transition(Run(tuple(items)), self.new, self.old, "1.0.0", backups)

    def picture(self) -> object:
        """Versions that run, replicas, and the data; volume claims and CRDs stay anyway."""
        found = {
            key: (document.get("data"), document.get("spec", {}).get("replicas", 1))
            for key, document in self.cluster.objects.items()
            if key[1] in {"ConfigMap", "Deployment"}
        }
        return found, dict(self.hooks.data)

    def engine(self, directory: Path, fate: Fate, held: Any = None) -> Engine:
        """An engine as a new process would make it."""
        return self.parts(directory, fate).engine(held)

    def parts(self, directory: Path, fate: Fate) -> Parts:
        """What it is made of."""
        path = directory / "run"
        return Parts(
            fate.wrap(self.helm, "install", "uninstall"),
            fate.wrap(self.cluster, "apply", "ensure_namespace", "stop_writers", "start_writers", "ready"),
            fate.wrap(self.hooks, "run"),
            self.supplies,
            self.transition(directory / "backup"),
            Journal.load(path) if path.exists() else Journal.begin(path, {"mode": "apply"}),
        )


@dataclass
class Parts:
    """What an engine is made of; a test replaces some."""

    helm: Any
    cluster: Any
    hooks: Any
    supplies: MemorySupplies
    transition: Transition
    journal: Journal
    clock: FastClock = field(default_factory=FastClock)
    say: Callable[[str], None] = lambda _: None

    def engine(self, held: Any = None) -> Engine:
        holding, redactor, silent = held or AlwaysHeld(), Redactor(frozenset()), Silent()
        waits = Waits(self.cluster, holding, self.clock, silent, redactor)
        steps, events = self.transition, self.journal.events
        actions = StepActions(
            HelmSteps(steps, self.helm, self.cluster, self.supplies, waits, self.say),
            WorkloadSteps(steps, self.helm, self.cluster, self.hooks, waits, events),
            HookSteps(steps, self.hooks, waits, redactor, self.say),
        )
        told = Announcer(self.say, silent, redactor)
        return Engine(steps.run, self.journal, actions, holding, self.clock, told)

    def drive(self) -> End:
        return self.engine().drive()


def always(what: str = "done") -> Fate:
    return Fate(lambda: what)
