"""Which rights are asked for before anything is changed."""

from __future__ import annotations

from typing import Any

from airstore.core.kube.rights import Right
from airstore.core.model.release import HelmRelease
from airstore.deploy.checks.preflight import permissions
from tests.support.kubernetes.deploy_world import make_target

CRDS, RBAC = "apiextensions.k8s.io", "rbac.authorization.k8s.io"


def document(kind: str, name: str, api_version: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def definition(kind: str, plural: str, scope: str) -> dict[str, Any]:
    spec = {"group": "example.com", "scope": scope, "names": {"kind": kind, "plural": plural}}
    name = f"{plural}.example.com"
    return document("CustomResourceDefinition", name, f"{CRDS}/v1", spec=spec)


def asked(*documents: dict[str, Any]) -> set[Right]:
    target, _ = make_target(HelmRelease("shop", "shop", "shop"), "1.0.0", documents)
    return {each for each in permissions([target]) if each.resource != "secrets"}


def test_objects_of_a_namespace_are_asked_about_by_kind() -> None:
    verbs = ("get", "create", "patch", "delete")
    assert asked(document("Ingress", "a", "networking.k8s.io/v1")) == {
        Right(verb, "ingresses", "networking.k8s.io", "shop") for verb in verbs
    }
    elsewhere = document("ConfigMap", "a")
    elsewhere["metadata"]["namespace"] = "blog"
    assert asked(elsewhere) == {Right(verb, "configmaps", "", "blog") for verb in verbs}


def test_objects_of_the_whole_cluster_are_asked_about_by_name() -> None:
    assert asked(document("ClusterRole", "shop-nodes", f"{RBAC}/v1")) == {
        Right("create", "clusterroles", RBAC),
        *(Right(verb, "clusterroles", RBAC, "", "shop-nodes") for verb in ("get", "patch", "delete")),
    }


def test_kinds_of_the_charts_own_definitions_are_known() -> None:
    made = asked(
        definition("Shelf", "shelves", "Namespaced"),
        definition("Mall", "mallsx", "Cluster"),
        document("Shelf", "a", "example.com/v1"),
        document("Mall", "b", "example.com/v1"),
    )
    assert Right("create", "shelves", "example.com", "shop") in made
    assert Right("patch", "mallsx", "example.com", "", "b") in made


def test_definitions_are_made_by_name_and_never_deleted() -> None:
    names = {"name": "shelves.example.com"}
    assert asked(definition("Shelf", "shelves", "Namespaced")) == {
        Right(verb, "customresourcedefinitions", CRDS, "", **names) for verb in ("get", "create", "patch")
    }
