"""The plan of a registry bootstrap: pure, from release, site file and the cluster as it is now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airstore.cluster.api.facts import ClassOf, Facts, Node, VolumeClaim
from airstore.cluster.registry.objects import NAME, NODE_LABEL
from airstore.cluster.registry.settings import RegistrySettings
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")


@frozen
class BootstrapStep:
    """One step.

    Attributes:
        needed: False where it is done already.
    """

    name: str
    what: str
    needed: bool = True


@frozen
class BootstrapPlan:
    """What a bootstrap will do.

    Attributes:
        node: where the registry starts; None where it runs already.
        pull_namespaces: namespaces of the product whose pods get to pull.
    """

    settings: RegistrySettings
    node: Node | None
    pull_namespaces: tuple[str, ...]
    steps: tuple[BootstrapStep, ...]
    warnings: tuple[str, ...]


def plan(
    settings: RegistrySettings,
    facts: Facts,
    deployment: Mapping[str, Any] | None,
    node: str = "",
    pull_namespaces: Sequence[str] = (),
) -> BootstrapPlan:
    """Decide what is to be done.

    Args:
        settings: what is wanted.
        facts: the cluster.
        deployment: the registry's Deployment as it is now, or None.
        node: start there; empty: choose one.
        pull_namespaces: namespaces of the product.

    Raises:
        UsageError: the cluster lacks what the site file names, or the volume exists otherwise.
        NotFoundError: no such node, or none that can be used.
    """
    check_storage(settings, facts)
    check_ingress(settings, facts)
    chosen = None if runs(settings, deployment) else choose_node(facts, node)
    steps = tuple(_steps(settings, chosen, pull_namespaces))
    return BootstrapPlan(settings, chosen, tuple(pull_namespaces), steps, tuple(_warnings(settings, facts)))


def runs(settings: RegistrySettings, deployment: Mapping[str, Any] | None) -> bool:
    """Whether the registry runs from its own copy of its image, this release's or an earlier one's."""
    if deployment is None or not (deployment.get("status") or {}).get("availableReplicas"):
        return False
    pod = deployment["spec"]["template"]["spec"]
    containers = [] if pod.get("nodeSelector") else pod["containers"]
    return bool(containers) and all(
        str(entry["image"]).startswith(f"{settings.host}/") for entry in containers
    )


def choose_node(facts: Facts, wanted: str = "") -> Node:
    """The node to start on: the named one, or one that is labelled already, or a worker.

    Raises:
        NotFoundError: no such node, or none that is ready and takes pods.
    """
    if wanted:
        found = facts.node(wanted)
        if found is None:
            known = ", ".join(node.name for node in facts.nodes) or "none"
            raise NotFoundError(f"the cluster has no node {wanted!r}", hint=f"its nodes: {known}")
        if not found.usable:
            raise NotFoundError(
                f"node {wanted} is not ready or takes no pods", hint="see kubectl describe node"
            )
        return found
    usable = [node for node in facts.nodes if node.usable]
    if not usable:
        raise NotFoundError("no node of the cluster is ready and takes pods", hint="see kubectl get nodes")
    return min(usable, key=lambda node: (not _labelled(node), node.control_plane, node.name))


def check_storage(settings: RegistrySettings, facts: Facts) -> None:
    """Refuse a storage class that cannot give the volume, or a volume that is there and different.

    Raises:
        UsageError: see above.
    """
    existing = facts.claim(settings.namespace, NAME)
    if existing:
        _check_claim(settings, existing)
        return
    names = {entry.name for entry in facts.storage_classes} | facts.volume_classes
    known = ", ".join(sorted(filter(None, names))) or "none"
    if settings.storage_class and settings.storage_class not in names:
        raise UsageError(
            f"the cluster has no storage class {settings.storage_class!r}",
            hint=f"set registry.storageClass in site.yaml; there are: {known}",
        )
    if not settings.storage_class and not _default(facts.storage_classes):
        raise UsageError(
            "the cluster has no default storage class",
            hint=f"set registry.storageClass in site.yaml; there are: {known}",
        )


def check_ingress(settings: RegistrySettings, facts: Facts) -> None:
    """Refuse an ingress class that does not exist.

    Raises:
        UsageError: see above.
    """
    names = {entry.name for entry in facts.ingress_classes}
    if settings.ingress_class and settings.ingress_class not in names:
        raise UsageError(
            f"the cluster has no ingress class {settings.ingress_class!r}",
            hint=f"set registry.ingressClass in site.yaml; there are: {', '.join(sorted(names)) or 'none'}",
        )


def quantity(text: str) -> float:
    """Bytes of a Kubernetes quantity such as ``20Gi``.

    Raises:
        UsageError: not a quantity.
    """
    found = _QUANTITY.fullmatch(text)
    factor = ({**_UNITS, **_BINARY}).get(found[2]) if found else None
    if found is None or factor is None:
        raise UsageError(f"not an amount of storage: {text!r}")
    return float(found[1]) * factor


def _check_claim(settings: RegistrySettings, existing: VolumeClaim) -> None:
    what = f"the registry's volume {settings.namespace}/{NAME} exists with"
    hint = "make site.yaml say so, or move the data to a new volume by hand"
    if settings.storage_class and existing.storage_class not in {None, settings.storage_class}:
        raise UsageError(f"{what} storage class {existing.storage_class!r}", hint=hint)
    if settings.access_mode not in existing.access_modes:
        raise UsageError(f"{what} access mode {', '.join(existing.access_modes)}", hint=hint)
    if existing.size and quantity(existing.size) > quantity(settings.storage):
        raise UsageError(f"{what} {existing.size}, and volumes cannot shrink", hint=hint)


def _steps(
    settings: RegistrySettings, node: Node | None, pull_namespaces: Sequence[str]
) -> Iterator[BootstrapStep]:
    where = settings.namespace
    volume = f"{settings.storage}, {settings.access_mode}, class {settings.storage_class or '(default)'}"
    tls = f"Secret {where}/{settings.tls_secret}" if settings.tls_secret else ", ".join(settings.host_names)
    seeding = node is not None
    start = node.name if node else "(runs already)"
    yield BootstrapStep("namespace", where)
    yield BootstrapStep("passwords", f"Secret {where}/registry-htpasswd with the users push and pull")
    yield BootstrapStep("certificate", tls)
    yield BootstrapStep("volume", f"PersistentVolumeClaim {where}/{NAME}: {volume}")
    yield BootstrapStep("service", f"Service {where}/{NAME}")
    yield BootstrapStep("ingress", f"Ingress {where}/{NAME}: {', '.join(settings.host_names)}")
    yield BootstrapStep("load", f"{settings.seed_reference} into node {start}", seeding)
    labelled = node is not None and _labelled(node)
    yield BootstrapStep("label", f"node {start}: primary-registry=true", seeding and not labelled)
    yield BootstrapStep("start", f"Deployment {where}/{NAME} on node {start}", seeding)
    yield BootstrapStep("push", f"{settings.image.reference} into the registry itself")
    yield BootstrapStep("re-point", f"Deployment {where}/{NAME} at {settings.private_reference}")
    yield BootstrapStep("scale", f"{settings.running} pods")
    for name in pull_namespaces:
        yield BootstrapStep("pull secret", f"Secret {name}/registry-pull, and the default ServiceAccount")


def _warnings(settings: RegistrySettings, facts: Facts) -> Iterator[str]:
    if settings.running < settings.replicas:
        yield (
            f"{settings.replicas} registry pods are asked for, but a {settings.access_mode} volume serves 1;"
            " where the storage can, set registry.accessMode: ReadWriteMany, so that a restart stops no pull"
        )
    if not settings.ingress_class and not _default(facts.ingress_classes):
        yield (
            "the cluster has no default ingress class and site.yaml names none: make sure that something"
            f" answers at {settings.host}"
        )


def _labelled(node: Node) -> bool:
    return all(node.labels.get(key) == value for key, value in NODE_LABEL.items())


def _default(classes: Sequence[ClassOf]) -> bool:
    return any(entry.default for entry in classes)
