"""What an applier in the cluster has to be allowed, from what it will apply; pure.

No right is for all kinds, all verbs or all namespaces, and none is to give oneself more. Kubernetes lets
nobody make a Role with rights that he lacks, so what the charts' Roles give, the applier gets, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from typing import Any

from airstore.cluster.workloads.workloads import service_of
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.kube.documents import Document
from airstore.core.kube.rights import Right

_RBAC = "rbac.authorization.k8s.io"
_LOOK = ("get", "list", "watch")
_SWITCH = ("get", "list", "patch")
_ROLES = {"Role": "roles", "ClusterRole": "clusterroles"}
_BINDINGS = {"RoleBinding", "ClusterRoleBinding"}
_DEFINITIONS = "customresourcedefinitions"
_MAKES_PODS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
_RISKY = frozenset({"escalate", "impersonate"})


@frozen
class ReleaseManifests:
    """One Helm release, as far as rights go.

    Attributes:
        namespace: of the Helm release.
        places: namespaces of its objects.
        documents: its manifests.
        scripts: some of its hooks are scripts.
        jobs: some of its hooks are Jobs.
        urls: of its health gates.
    """

    namespace: str
    places: frozenset[str]
    documents: tuple[Document, ...] = field(repr=False)
    scripts: bool = False
    jobs: bool = False
    urls: tuple[str, ...] = ()


@frozen
class Rights:
    """Everything that is allowed.

    Attributes:
        granted: rights to objects.
        paths: verb and path of the API server that is no object, such as ``/metrics``.
        namespaces: where the applier works.
    """

    granted: frozenset[Right]
    paths: frozenset[tuple[str, str]]
    namespaces: tuple[str, ...]

    def rules(self, namespace: str) -> list[dict[str, Any]]:
        """Rules of the Role in a namespace; of the ClusterRole where that is empty."""
        rules = _rules(right for right in self.granted if right.namespace == namespace)
        return rules if namespace else [*rules, *_path_rules(self.paths)]


def rights_of(parts: Sequence[ReleaseManifests], wanted: Iterable[Right], lease: tuple[str, str]) -> Rights:
    """The least that applying these Helm releases, and going back, takes.

    Args:
        parts: what shall run and what runs.
        wanted: rights that are checked before anything is applied.
        lease: namespace and name of the Lease that is held meanwhile.

    Raises:
        UsageError: a chart has a Role with rights that an applier must not have itself.
    """
    documents = [(part.namespace, document) for part in parts for document in part.documents]
    roles = list(_role_rules(documents))
    granted = {right for each in wanted for right in _with_waiting(each)}
    granted |= {right for part in parts for right in _part(part)}
    granted |= {right for where, rule in roles for right in _as_rights(where, rule)}
    granted |= set(_binds(documents)) | set(_lease(*lease))
    namespaces = sorted({place for part in parts for place in part.places})
    granted |= {Right("get", "namespaces", name=name) for name in (*namespaces, lease[0])}
    for resource, group in (("storageclasses", "storage.k8s.io"), ("ingressclasses", "networking.k8s.io")):
        granted |= {Right(verb, resource, group) for verb in ("get", "list")}
    paths = {(verb, path) for _, rule in roles for path in rule.get("nonResourceURLs") or ()
             for verb in rule.get("verbs") or ()}  # fmt: skip
    return Rights(frozenset(granted), frozenset(paths), tuple(namespaces))


def with_mark(rights: Rights, place: tuple[str, str] | None) -> Rights:
    """And to read and move on one ConfigMap, which exists: it may neither be made nor be removed.

    Args:
        rights: for all else.
        place: namespace and name; None where there is none.
    """
    if place is None:
        return rights
    return replace(rights, granted=rights.granted | {*_all(("get", "patch"), "configmaps", "", *place)})


def _part(part: ReleaseManifests) -> Iterator[Right]:
    for place in part.places:
        yield from _workloads(place)
        # In dry runs, to see whether pods will be admitted; by such a workload any could be made anyway.
        if any(document.get("kind") in _MAKES_PODS for document in part.documents):
            yield Right("create", "pods", "", place)
            for resource in ("resourcequotas", "limitranges"):  # whether all pods that come find room
                yield Right("list", resource, "", place)
    yield from _all(("get", "patch"), "serviceaccounts", "", part.namespace, "default")  # pull secrets
    for url in part.urls:
        namespace, service = service_of(url, part.namespace)
        yield Right("get", "services/proxy", "", namespace, service)
    if part.scripts:  # kubectl asks for a websocket, which is a get, and older servers take a create
        yield from _all(("get", "create"), "pods/exec", "", part.namespace)
    if part.jobs:
        yield from _all(("get", "create", "patch", "delete"), "jobs", "batch", part.namespace)


def _with_waiting(right: Right) -> Iterator[Right]:
    yield right
    if right.verb == "get" and right.resource != _DEFINITIONS:  # Helm waits by watching
        yield from _all(("list", "watch"), right.resource, right.group, right.namespace)


def _workloads(place: str) -> Iterator[Right]:
    """What it takes to see why something is not healthy, and to stop writers."""
    yield from _all(_LOOK, "pods", "", place)
    yield Right("get", "pods/log", "", place)
    yield from _all(("get", "list"), "events", "", place)
    yield from _all(_LOOK, "replicasets", "apps", place)
    for resource, group in (("deployments", "apps"), ("statefulsets", "apps"), ("cronjobs", "batch")):
        yield from _all(_SWITCH, resource, group, place)


def _lease(namespace: str, name: str) -> Iterator[Right]:
    group = "coordination.k8s.io"
    yield Right("create", "leases", group, namespace)
    yield from _all(("get", "update"), "leases", group, namespace, name)


def _all(verbs: Iterable[str], resource: str, group: str, namespace: str, name: str = "") -> Iterator[Right]:
    return (Right(verb, resource, group, namespace, name) for verb in verbs)


def _role_rules(documents: Iterable[tuple[str, Document]]) -> Iterator[tuple[str, Document]]:
    """Rules of the charts' Roles, each with its namespace, empty for a ClusterRole's."""
    for namespace, document in documents:
        if document.get("kind") not in _ROLES:
            continue
        what = f"{document['kind']} {(document.get('metadata') or {}).get('name')}"
        if document.get("aggregationRule"):
            raise _too_much(what, "collects the rules of other ClusterRoles")
        for rule in document.get("rules") or ():
            _check(what, rule)
            yield _scope(document, namespace), rule


def _check(what: str, rule: Document) -> None:
    fields = ("verbs", "resources", "apiGroups", "nonResourceURLs")
    if any("*" in str(value) for name in fields for value in rule.get(name) or ()):
        raise _too_much(what, "has a rule with '*'")
    verbs = set(rule.get("verbs") or ())
    if risky := sorted(verbs & _RISKY):
        raise _too_much(what, f"allows to {' and '.join(risky)}")
    if "bind" in verbs and not rule.get("resourceNames"):
        raise _too_much(what, "allows to bind any role")


def _too_much(what: str, why: str) -> UsageError:
    return UsageError(
        f"{what} {why}: who makes it must have these rights, and an applier in the cluster must not",
        hint="let the chart name what it needs, or apply this product from outside, as an administrator",
    )


def _as_rights(where: str, rule: Document) -> Iterator[Right]:
    for verb in rule.get("verbs") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or ("",):
                    yield Right(str(verb), str(resource), str(group), where, str(name))


def _binds(documents: Sequence[tuple[str, Document]]) -> Iterator[Right]:
    """Roles that charts refer to and do not make may be bound; those alone."""
    made = {
        (document["kind"], _scope(document, namespace), _name(document))
        for namespace, document in documents
        if document.get("kind") in _ROLES
    }
    for namespace, document in documents:
        reference = document.get("roleRef") or {}
        if document.get("kind") in _BINDINGS and reference.get("kind") in _ROLES:
            where = _scope(document, namespace)
            kind, name = str(reference["kind"]), str(reference.get("name"))
            if (kind, "" if kind == "ClusterRole" else where, name) not in made:
                yield Right("bind", _ROLES[kind], _RBAC, where, name)


def _scope(document: Document, namespace: str) -> str:
    """The namespace of a role or binding; empty for the whole cluster's."""
    if str(document["kind"]).startswith("Cluster"):
        return ""
    return str((document.get("metadata") or {}).get("namespace") or namespace)


def _name(document: Document) -> str:
    return str((document.get("metadata") or {}).get("name") or "")


def _rules(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """As few rules as say the same, sorted."""
    verbs: dict[tuple[str, str, str], set[str]] = {}
    for right in rights:
        verbs.setdefault((right.group, right.resource, right.name), set()).add(right.verb)
    for group, resource, name in [key for key in verbs if key[2]]:  # what any object allows, each one does
        verbs[group, resource, name] -= verbs.get((group, resource, ""), set())
    names: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for (group, resource, name), allowed in verbs.items():
        if allowed:
            names.setdefault((group, resource, tuple(sorted(allowed))), set()).add(name)
    resources: dict[tuple[str, tuple[str, ...], tuple[str, ...]], set[str]] = {}
    for (group, resource, allowed_verbs), found in names.items():
        resources.setdefault((group, allowed_verbs, tuple(sorted(found - {""}))), set()).add(resource)
    return [_rule(*key, sorted(together)) for key, together in sorted(resources.items())]


def _rule(group: str, verbs: Sequence[str], names: Sequence[str], resources: list[str]) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
    return {**rule, "resourceNames": list(names)} if names else rule


def _path_rules(paths: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    found: dict[str, set[str]] = {}
    for verb, path in paths:
        found.setdefault(path, set()).add(verb)
    return [{"nonResourceURLs": [path], "verbs": sorted(verbs)} for path, verbs in sorted(found.items())]
