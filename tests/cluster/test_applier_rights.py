"""The applier's rights: enough for what is checked beforehand, and never more than the charts ask for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.cluster.applier.rights import ReleaseManifests, Rights, rights_of
from airstore.core.errors import UsageError
from airstore.core.kube.rights import Right

RBAC = "rbac.authorization.k8s.io"
LEASE = ("airstore", "airstore-shop")
EMPTY = ReleaseManifests("shop", frozenset({"shop"}), ())
Document = dict[str, Any]


def make(kind: str, name: str = "a", **fields: Any) -> Document:
    api_version = f"{RBAC}/v1" if "Role" in kind else "v1"
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def rule(*verbs: str, resource: str = "nodes", group: str = "", **more: Any) -> Document:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs), **more}


def binding(kind: str, role: str, name: str) -> Document:
    return make(kind, roleRef={"apiGroup": RBAC, "kind": role, "name": name})


def given_to(*documents: Document, **fields: Any) -> Rights:
    return rights_of([replace(EMPTY, documents=documents, **fields)], [], LEASE)


def allows(
    rights: Rights, verb: str, resource: str, group: str = "", namespace: str = "", name: str = ""
) -> bool:
    """Whether the rules say so, read as Kubernetes reads them: a ClusterRole's hold in every namespace."""
    rules = [*rights.rules(""), *(rights.rules(namespace) if namespace else [])]
    return any(
        group in each.get("apiGroups", ())
        and resource in each["resources"]
        and verb in each["verbs"]
        and (not each.get("resourceNames") or name in each["resourceNames"])
        for each in rules
        if "resources" in each
    )


def every_rule(rights: Rights) -> Iterator[Document]:
    for place in {"", *(right.namespace for right in rights.granted)}:
        yield from rights.rules(place)


def test_what_every_applier_may() -> None:
    rights = given_to()
    for verb, resource, group, name in (
        ("get", "pods/log", "", ""),
        ("list", "pods", "", ""),
        ("patch", "deployments", "apps", ""),
        ("patch", "cronjobs", "batch", ""),
        ("watch", "replicasets", "apps", ""),
        ("list", "events", "", ""),
        ("patch", "serviceaccounts", "", "default"),
    ):
        assert allows(rights, verb, resource, group, "shop", name)
        assert not allows(rights, verb, resource, group, "elsewhere", name)
    assert allows(rights, "update", "leases", "coordination.k8s.io", *LEASE)
    assert not allows(rights, "update", "leases", "coordination.k8s.io", "airstore", "airstore-other")
    assert allows(rights, "get", "namespaces", name="shop")
    assert not allows(rights, "get", "namespaces", name="kube-system")
    assert allows(rights, "list", "storageclasses", "storage.k8s.io")
    for verb, resource in (("create", "pods/exec"), ("create", "pods"), ("get", "secrets"), ("get", "jobs")):
        assert not allows(rights, verb, resource, "", "shop")
        assert not allows(rights, verb, resource, "batch", "shop")


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"scripts": True}, ("create", "pods/exec", "", "shop")),
        ({"jobs": True}, ("create", "jobs", "batch", "shop")),
        ({"urls": ("http://api/healthz",)}, ("get", "services/proxy", "", "shop", "api:80")),
        ({"urls": ("https://api.blog:8443/",)}, ("get", "services/proxy", "", "blog", "https:api:8443")),
        ({"places": frozenset({"shop", "jobs"})}, ("patch", "statefulsets", "apps", "jobs")),
    ],
)
def test_what_hooks_gates_and_other_namespaces_add(fields: Any, right: tuple[str, ...]) -> None:
    assert not allows(given_to(), *right)
    assert allows(given_to(**fields), *right)


def test_helm_waits_by_watching_what_it_installs() -> None:
    wanted = [
        Right("get", "services", "", "shop"),
        Right("get", "clusterroles", RBAC, "", "a"),
        Right("get", "customresourcedefinitions", "apiextensions.k8s.io", "", "a.example.com"),
    ]
    rights = rights_of([EMPTY], wanted, LEASE)
    assert allows(rights, "watch", "services", "", "shop")
    assert allows(rights, "watch", "clusterroles", RBAC)
    assert not allows(rights, "get", "clusterroles", RBAC, name="b")
    assert not allows(rights, "watch", "customresourcedefinitions", "apiextensions.k8s.io")


def test_it_has_what_the_charts_roles_give() -> None:
    roles = [
        make("Role", rules=[rule("get", "watch", resource="endpoints")]),
        make("ClusterRole", rules=[rule("list"), {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]),
    ]
    rights = given_to(*roles)
    assert allows(rights, "watch", "endpoints", "", "shop")
    assert not allows(rights, "watch", "endpoints", "", "elsewhere")
    assert allows(rights, "list", "nodes")
    assert {"nonResourceURLs": ["/metrics"], "verbs": ["get"]} in rights.rules("")


def test_a_role_in_another_namespace_counts_there() -> None:
    role = make("Role", rules=[rule("get", resource="endpoints")])
    role["metadata"]["namespace"] = "blog"
    rights = given_to(role)
    assert allows(rights, "get", "endpoints", "", "blog")
    assert not allows(rights, "get", "endpoints", "", "shop")


def test_only_roles_of_others_are_bound_and_by_name() -> None:
    documents = [
        make("Role", "own", rules=[]),
        make("ClusterRole", "wide", rules=[]),
        binding("RoleBinding", "Role", "own"),
        binding("RoleBinding", "ClusterRole", "wide"),
        binding("RoleBinding", "ClusterRole", "view"),
        binding("ClusterRoleBinding", "ClusterRole", "system:auth-delegator"),
    ]
    binds = {right for right in given_to(*documents).granted if right.verb == "bind"}
    assert binds == {
        Right("bind", "clusterroles", RBAC, "shop", "view"),
        Right("bind", "clusterroles", RBAC, "", "system:auth-delegator"),
    }


@pytest.mark.parametrize(
    ("document", "word"),
    [
        (make("Role", rules=[rule("*")]), "'*'"),
        (make("Role", rules=[rule("get", resource="*")]), "'*'"),
        (make("Role", rules=[rule("get", resource="pods/*")]), "'*'"),
        (make("ClusterRole", rules=[rule("get", group="*")]), "'*'"),
        (make("ClusterRole", rules=[{"nonResourceURLs": ["/metrics/*"], "verbs": ["get"]}]), "'*'"),
        (make("ClusterRole", rules=[rule("escalate", resource="roles", group=RBAC)]), "escalate"),
        (make("ClusterRole", rules=[rule("impersonate", resource="users")]), "impersonate"),
        (make("Role", rules=[rule("bind", resource="roles", group=RBAC)]), "bind any role"),
        (make("ClusterRole", aggregationRule={"clusterRoleSelectors": [{}]}), "collects"),
    ],
)
def test_a_role_that_no_applier_may_make(document: Document, word: str) -> None:
    with pytest.raises(UsageError, match=document["kind"]) as caught:
        given_to(document)
    assert word in str(caught.value)
    assert "from outside" in caught.value.hint


words = st.sampled_from(["get", "list", "create", "patch", "delete", "pods", "secrets", "a", "b", "c"])
rights_strategy = st.builds(
    Right, words, words, st.sampled_from(["", "apps"]), st.sampled_from(["", "shop", "blog"]),
    st.sampled_from(["", "a", "b"]),
)  # fmt: skip


@given(st.lists(rights_strategy, max_size=12), st.lists(rights_strategy, max_size=12))
def test_rules_say_exactly_what_was_granted(granted: list[Right], asked: list[Right]) -> None:
    rights = Rights(frozenset(granted), frozenset(), ())
    for right in (*granted, *asked):
        wide = [replace(right, namespace=place, name=name) for place in {"", right.namespace}
                for name in {"", right.name}]  # fmt: skip
        expected = any(each in granted for each in wide)
        assert (
            allows(rights, right.verb, right.resource, right.group, right.namespace, right.name) is expected
        )


@given(st.lists(rights_strategy, max_size=12))
def test_no_rule_is_for_everything(wanted: list[Right]) -> None:
    risky = [make("Role", rules=[rule("bind", resource="roles", group=RBAC, resourceNames=["a"])])]
    rights = rights_of([replace(EMPTY, documents=tuple(risky), scripts=True, jobs=True)], wanted, LEASE)
    for each in every_rule(rights):
        listed = [str(value) for values in each.values() for value in values]
        assert not {"*", "escalate", "impersonate"} & set(listed)
        assert "bind" not in each["verbs"] or each["resourceNames"]


@given(st.lists(rights_strategy, max_size=12), st.randoms())
def test_rules_do_not_depend_on_the_order(wanted: list[Right], chance: random.Random) -> None:
    mixed = chance.sample(wanted, len(wanted))
    for place in ("", "shop"):
        assert rights_of([EMPTY], wanted, LEASE).rules(place) == rights_of([EMPTY], mixed, LEASE).rules(place)


@pytest.mark.parametrize(("kind", "may"), [("Deployment", True), ("CronJob", True), ("ConfigMap", False)])
def test_pods_are_made_in_dry_runs_only_by_who_can_make_workloads_of_them(kind: str, may: bool) -> None:
    part = ReleaseManifests("shop", frozenset({"shop"}), ({"kind": kind, "metadata": {"name": "a"}},))
    rights = rights_of([part], [], LEASE)
    assert allows(rights, "create", "pods", "", "shop") is may
    assert allows(rights, "list", "resourcequotas", "", "shop") is may
    assert allows(rights, "list", "limitranges", "", "shop") is may
    assert not allows(rights, "list", "resourcequotas", "", "elsewhere")
    assert not allows(rights, "create", "pods", "", "elsewhere")
