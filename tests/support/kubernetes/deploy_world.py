"""A cluster and a Helm in memory that behave like the real ones as far as the engine can tell.

`conformance` holds them, and the real ones, against the same expectations.
"""

from __future__ import annotations

import copy
import io
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airstore.charts.images.rewrite import Rewriting
from airstore.core.kube.dryruns import Change, Demand, Refusal
from airstore.core.kube.sights import Sight
from airstore.core.model.gates import Gate, WorkloadGate
from airstore.core.model.release import HelmRelease
from airstore.core.parsing import yamlfile
from airstore.deploy.helm.kept import Kept, Standing
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.hooks.runner import Hook, Watching
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.plan.plan import normalise
from airstore.history.ledger import Running

Document = Mapping[str, Any]
OWNER = "meta.helm.sh/release-name"
OWNER_NAMESPACE = "meta.helm.sh/release-namespace"
_REMEMBERED = "before"
_CHART = "apiVersion: v2\nname: {name}\nversion: {version}\n"


def make_target(
    helm: HelmRelease, version: str, documents: Sequence[Document], crds: Sequence[Document] = ()
) -> tuple[ReleaseTarget, bytes]:
    """A Helm release and the chart that renders exactly these documents."""
    files = {
        "Chart.yaml": _CHART.format(name=helm.chart, version=version),
        "templates/all.yaml": "---\n".join(yamlfile.dump(document) for document in documents),
    }
    files |= {f"crds/{number}.yaml": yamlfile.dump(document) for number, document in enumerate(crds)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{helm.chart}/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    running = Running(
        helm.name, helm.namespace, helm.chart, version, f"sha256:{version}", normalise(documents)
    )
    return ReleaseTarget(running, helm, version), packed.getvalue()


@dataclass
class MemorySupplies:
    """Charts, and what was installed of them, by Helm release and version."""

    charts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    rewritten: dict[str, Rewriting] = field(default_factory=dict)
    installed: dict[tuple[str, str], Kept] = field(default_factory=dict)

    def chart(self, target: ReleaseTarget) -> bytes:
        return self.charts[target.running.key, target.version]

    def values(self, _target: ReleaseTarget) -> list[bytes]:
        return []

    def rewriting(self, target: ReleaseTarget) -> Rewriting | None:
        return self.rewritten.get(target.running.key)

    def kept(self, target: ReleaseTarget) -> Kept | None:
        return self.installed.get((target.running.key, target.version))

    def keep(self, target: ReleaseTarget, kept: Kept) -> None:
        self.installed[target.running.key, target.version] = kept


@dataclass
class MemoryCluster:
    """Objects by namespace, kind and name; pods end at once, and what has replicas is ready.

    Attributes:
        refusals: kind and name to what a dry run says.
        sights: name of a workload to how its pods are.
        pulling: namespaces whose pods were made able to pull.
        rooms: namespace to how many pods more its quota has room for.
    """

    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    namespaces: set[str] = field(default_factory=set)
    refusals: dict[tuple[str, str], Refusal] = field(default_factory=dict)
    sights: dict[str, Sight] = field(default_factory=dict)
    pulling: list[str] = field(default_factory=list)
    rooms: dict[str, int] = field(default_factory=dict)

    def let_pull(self, namespace: str) -> None:
        self.pulling.append(namespace)

    def ensure_namespace(self, name: str) -> None:
        self.namespaces.add(name)

    def apply(self, document: Document, namespace: str) -> None:
        key = self._key(document, namespace)
        self.objects[key] = _merged(self.objects.get(key, {}), document)

    def live(self, document: Document, namespace: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.objects.get(self._key(document, namespace)))

    def labelled(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        return [
            copy.deepcopy(document)
            for (where, found, _), document in self.objects.items()
            if (where, found, document["apiVersion"]) == (namespace, kind, api_version)
            and labels.items() <= document["metadata"].get("labels", {}).items()
        ]

    def rehearse(self, change: Change) -> Refusal | None:
        return self.refusals.get((str(change.document["kind"]), change.document["metadata"]["name"]))

    def rehearse_pod(self, pod: Document, namespace: str) -> Refusal | None:  # noqa: ARG002
        return self.refusals.get(("Pod", pod["metadata"]["name"].removesuffix("-dry-run")))

    def crowded(self, demands: Sequence[Demand], namespace: str) -> str | None:
        room = self.rooms.get(namespace)
        more = sum(each.count for each in demands)
        return f"exceeded quota: few, needed: pods={more}, " if room is not None and more > room else None

    def remove(self, document: Document, namespace: str) -> None:
        self.objects.pop(self._key(document, namespace), None)

    def stop_writers(
        self, namespace: str, helm_release: str, places: Iterable[str], *, keep_stateful: bool = False
    ) -> None:
        for kind, document in self._owned(namespace, helm_release, places):
            if kind in {"Deployment", "StatefulSet"} and not (keep_stateful and kind == "StatefulSet"):
                _switch(document, "replicas", 0, 1)
            if kind == "CronJob":
                _switch(document, "suspend", True, False)

    def stop_job(self, _document: Document, _namespace: str) -> None:
        """None runs."""

    def start_writers(self, namespace: str, helm_release: str, places: Iterable[str]) -> bool:
        found = False
        for kind, document in self._owned(namespace, helm_release, places):
            annotations = document["metadata"]["annotations"]
            if _REMEMBERED in annotations:
                found, before = True, annotations.pop(_REMEMBERED)
                name, off = ("suspend", True) if kind == "CronJob" else ("replicas", 0)
                if document["spec"][name] == off:
                    document["spec"][name] = before
        return found

    def look(self, document: Document, namespace: str) -> Sight | None:
        return self.sights.get(document["metadata"]["name"]) if self.live(document, namespace) else None

    def ready(self, gate: Gate, namespace: str) -> str | None:
        assert isinstance(gate, WorkloadGate)
        kind, name = gate.kind, gate.name
        for (where, found, named), document in self.objects.items():
            if (where, found.lower(), named) == (namespace, kind, name):
                return None if document["spec"].get("replicas", 1) else "it has no replicas"
        return f"there is no {kind} {name}"

    def _owned(
        self, namespace: str, helm_release: str, places: Iterable[str]
    ) -> list[tuple[str, dict[str, Any]]]:
        owner, listed = {OWNER: helm_release, OWNER_NAMESPACE: namespace}, set(places)
        return [
            (kind, document)
            for (where, kind, _), document in self.objects.items()
            if where in listed and owner.items() <= document["metadata"].get("annotations", {}).items()
        ]

    def _key(self, document: Document, namespace: str) -> tuple[str, str, str]:
        metadata = document["metadata"]
        return metadata.get("namespace") or namespace, document["kind"], metadata["name"]


@dataclass
class MemoryHelm:
    """Helm on a `MemoryCluster`."""

    cluster: MemoryCluster
    released: dict[str, tuple[int, ReleaseTarget]] = field(default_factory=dict)

    def install(self, target: ReleaseTarget, *, wait: bool, watch: Callable[[], None] | None = None) -> None:
        if wait and watch:  # nothing here takes time
            watch()
        revision, before = self.released.get(target.running.key, (0, None))
        for document in before.documents() if before else ():
            if not any(_same(document, other) for other in target.documents()):
                self._delete(document, target.namespace)
        for document in target.documents():
            annotations = {OWNER: target.name, OWNER_NAMESPACE: target.namespace}
            self.cluster.apply(
                _merged(document, {"metadata": {"annotations": annotations}}), target.namespace
            )
        self.released[target.running.key] = revision + 1, target

    def reinstate(self, target: ReleaseTarget) -> None:
        self.install(target, wait=False)

    def standing(self, target: ReleaseTarget) -> Standing:
        revision, found = self.released.get(target.running.key, (0, None))
        chart = f"{found.running.chart}-{found.running.chart_version}" if found else ""
        return Standing(Kept(revision, chart, found.running.rendered) if found else None, on_server=True)

    def reinstates(self, target: ReleaseTarget) -> tuple[Document, ...]:
        return tuple(target.documents())

    def turn(self, target: ReleaseTarget) -> None:
        """Nothing fails half-way here."""

    def uninstall(self, target: ReleaseTarget) -> None:
        found = self.released.pop(target.running.key, None)
        for document in found[1].documents() if found else ():
            if document["kind"] != "PersistentVolumeClaim":
                self._delete(document, target.namespace)

    def status(self, target: ReleaseTarget) -> HelmStatus | None:
        found = self.released.get(target.running.key)
        if found is None:
            return None
        chart = f"{found[1].running.chart}-{found[1].running.chart_version}"
        return HelmStatus(found[0], "deployed", chart)

    def _delete(self, document: Document, namespace: str) -> None:
        where = document["metadata"].get("namespace") or namespace
        self.cluster.objects.pop((where, document["kind"], document["metadata"]["name"]), None)


@dataclass
class MemoryHooks:
    """Hooks that work on data, a text for each Helm release, with backups by directory."""

    data: dict[str, str]
    backups: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def run(self, hook: Hook, watching: Watching) -> None:
        watching(())()
        key, place = hook.target.running.key, str(hook.backup)
        self.ran.append(f"{hook.name} {key}")
        if hook.name == "preUpgrade":
            self.backups[place] = self.data[key]
        elif hook.name == "verifyBackup":
            assert self.backups[place]
        elif hook.name == "postUpgrade":
            self.data[key] = f"data of {hook.target.version}"
        else:
            self.data[key] = self.backups[place]

    def end(self, target: ReleaseTarget) -> None:
        """They have ended."""


@dataclass
class FastClock:
    """Time passes only when somebody sleeps."""

    time: float = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class AlwaysHeld:
    """A Lease nobody takes."""

    def check(self) -> None:
        return

    def confirm(self) -> None:
        return


def _merged(base: Document, over: Document) -> dict[str, Any]:
    result = copy.deepcopy(dict(base))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _merged(result[key], value) if both else copy.deepcopy(value)
    return result


def _switch(document: dict[str, Any], name: str, off: object, default: object) -> None:
    annotations = document["metadata"].setdefault("annotations", {})
    annotations.setdefault(_REMEMBERED, document["spec"].get(name, default))
    document["spec"][name] = off


def _same(one: Document, other: Document) -> bool:
    return (one["kind"], one["metadata"]["name"]) == (other["kind"], other["metadata"]["name"])
