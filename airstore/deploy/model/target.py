"""One Helm release as a release of the product wants it: everything that it takes to have it run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from airstore.core.frozen import frozen
from airstore.core.model.gates import Gate, WorkloadGate
from airstore.core.model.release import HelmRelease, Release
from airstore.core.parsing import yamlfile
from airstore.deploy.model.durations import seconds
from airstore.history.ledger import Running

WORKLOADS = {"Deployment": "deployment", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}
CLAIM = "PersistentVolumeClaim"
_BEFORE = "before-hook-creation"  # what Helm does where nothing is said


@frozen
class ReleaseTarget:
    """A Helm release in one version.

    Attributes:
        running: chart, values and manifests.
        helm: time-out, needs, hooks and health gates.
        version: of the product, in whose signed tree the hooks are.
    """

    running: Running
    helm: HelmRelease = field(repr=False)
    version: str = ""

    @property
    def name(self) -> str:
        """The Helm release's name."""
        return self.running.name

    @property
    def namespace(self) -> str:
        """The Helm release's namespace."""
        return self.running.namespace

    @property
    def namespaces(self) -> set[str]:
        """Namespaces of its objects: its own, and those that manifests name."""
        named = {str((each.get("metadata") or {}).get("namespace") or "") for each in self.documents()}
        return {self.namespace} | (named - {""})

    @property
    def timeout(self) -> float:
        """Seconds that one step may take."""
        return seconds(self.helm.timeout)

    def documents(self) -> list[dict[str, Any]]:
        """The rendered manifests, Secrets redacted."""
        found = yamlfile.load_manifests(self.running.rendered, f"manifests of {self.name}")
        return [each for each in found if isinstance(each, dict)]

    def workload_gates(self) -> list[Gate]:
        """A health gate for each workload in the manifests."""
        named = ((str(each.get("kind")), object_name(each)) for each in self.documents() if not is_hook(each))
        return [WorkloadGate(WORKLOADS[kind], name) for kind, name in named if kind in WORKLOADS]

    def gates(self) -> list[Gate]:
        """Every health gate once: of its workloads, then those that the product file names."""
        return list(dict.fromkeys([*self.workload_gates(), *self.helm.health]))

    def claims(self) -> set[str]:
        """Names of the volume claims in the manifests."""
        return {object_name(each) for each in self.documents() if each.get("kind") == CLAIM}


def targets_of(all_running: Iterable[Running], release: Release | None) -> dict[str, ReleaseTarget]:
    """Key to Helm release, with what a release of the product says about each."""
    helms = {helm.name: helm for helm in release.helm_releases} if release else {}
    version = release.version if release else ""
    found = {}
    for running in all_running:
        helm = helms.get(running.name) or HelmRelease(running.name, running.namespace, running.chart)
        found[running.key] = ReleaseTarget(running, helm, version)
    return found


def object_name(document: Mapping[str, Any]) -> str:
    """``metadata.name``."""
    return str((document.get("metadata") or {}).get("name") or "")


def is_hook(document: Any) -> bool:
    """Whether Helm runs it as one of its own hooks instead of keeping it."""
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return "helm.sh/hook" in (annotations or {})


def is_deleted_first(document: Mapping[str, Any]) -> bool:
    """Whether it is one of Helm's hooks whose earlier object Helm deletes first: unless told otherwise."""
    if not is_hook(document):
        return False
    policy = document["metadata"]["annotations"].get("helm.sh/hook-delete-policy") or _BEFORE
    return _BEFORE in {word.strip() for word in str(policy).split(",")}
