"""Two products at one site: whose registry, Lease, namespace and pull Secret it is, by a real API server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.cluster.api.labels import PRODUCT, PRODUCTS
from airstore.cluster.api.lease import hold
from airstore.cluster.api.objects import ConflictError, Objects
from airstore.cluster.api.transport.connection import Connection
from airstore.cluster.registry import objects as make
from airstore.cluster.registry.owners import owner_of, refuse_others, registry_owner
from airstore.cluster.registry.pull_secrets import PullLogin, give_secret, let_pull, pull_secret
from airstore.cluster.registry.settings import RegistrySettings, settings_of
from airstore.core.errors import UsageError
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import registry_from_section
from tests.cluster.registry.test_cluster_plan import HOST, RELEASE, SECRETS
from tests.support.kubernetes.cluster_server import ApiServer

SHOP = PullLogin(HOST, "pull", "of the shop", "shop", decides=True)
BANK = PullLogin("registry.bank.example", "pull", "of the bank", "bank", decides=True)
SHARING = replace(SHOP, product="bank", decides=False)
real = pytest.mark.cluster


def settings(product: str, namespace: str, host: str = HOST) -> RegistrySettings:
    site = SiteFile(registry_from_section({"host": host, "namespace": namespace}))
    return settings_of(replace(RELEASE, product=product), site)


def documents(wanted: RegistrySettings) -> Iterator[dict[str, Any]]:
    """What a bootstrap makes."""
    yield make.htpasswd_secret(wanted, SECRETS)
    yield from (make.claim(wanted), make.service(wanted), make.ingress(wanted))
    yield make.proper(wanted, SECRETS, 1)


def older(document: dict[str, Any]) -> dict[str, Any]:
    """As airstore made it before it noted owners: the product was in a label alone."""
    metadata = {key: value for key, value in document["metadata"].items() if key != "annotations"}
    return {**document, "metadata": metadata}


def auths(secret: dict[str, Any]) -> dict[str, str]:
    """Host to password."""
    known = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
    return {host: entry["password"] for host, entry in known.items()}


def test_the_owner_is_noted_and_was_in_a_label_before() -> None:
    for document in documents(settings("shop", "registry")):
        assert owner_of(document) == owner_of(older(document)) == "shop"
        strange = {"name": "x", "labels": {"app.kubernetes.io/part-of": "shop"}}
        assert not owner_of({"metadata": strange})
    assert owner_of(make.namespace("registry", "shop")) == "shop"


def test_ingress_annotations_are_kept_beside_the_owners() -> None:
    annotations = make.ingress(settings("shop", "registry"))["metadata"]["annotations"]
    assert annotations[PRODUCT] == "shop"
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"


def written(api: ApiServer, namespace: str) -> list[object]:
    """What is there, but for what controllers say of it."""
    found = api.json("get", "all,secrets,pvc,ingresses", "-n", namespace, "--show-managed-fields")["items"]
    for each in found:
        managers = [m for m in each["metadata"].pop("managedFields") if m["manager"] == "airstore"]
        each["metadata"] = {"name": each["metadata"]["name"], "managers": managers}
        each.pop("status", None)
        each["spec"] = {**each.get("spec", {}), "volumeName": ""}
    return list(found)


@real
@pytest.mark.parametrize("age", [older, dict], ids=["older", "newer"])
@pytest.mark.parametrize("kind", ["Secret", "PersistentVolumeClaim", "Service", "Ingress", "Deployment"])
def test_whatever_is_there_of_another_products_registry_is_refused(
    objects: Objects, api: ApiServer, namespace: str, kind: str, age: Any
) -> None:
    host = f"{namespace}.example"
    theirs = settings("shop", namespace, host)
    objects.apply(age(next(each for each in documents(theirs) if each["kind"] == kind)))
    before = written(api, namespace)
    ours = settings("bank", namespace, "other.example")
    with pytest.raises(
        UsageError, match=f"namespace {namespace} belongs to product shop, not to bank"
    ) as why:
        refuse_others(objects, ours)
    assert "registry bootstrap --share" in why.value.hint
    assert "registry.namespace" in why.value.hint
    assert registry_owner(objects, namespace) == "shop"
    assert written(api, namespace) == before
    refuse_others(objects, theirs)  # who made it goes on with it, of whatever age it is


@real
def test_another_namespace_needs_another_host_too(objects: Objects, namespace: str, api: ApiServer) -> None:
    host = f"{namespace}.example"
    objects.apply(make.ingress(settings("shop", namespace, host)))
    with pytest.raises(UsageError, match=f"namespace {namespace} with host {host} belongs to product shop"):
        refuse_others(objects, settings("bank", "elsewhere", host))
    refuse_others(objects, settings("bank", "elsewhere", f"other-{host}"))


@real
def test_a_namespace_made_for_another_product_is_refused(objects: Objects, namespace: str) -> None:
    made = f"{namespace}-made"
    let_pull_quickly(objects, SHOP, made)
    with pytest.raises(UsageError, match="belongs to product shop"):
        refuse_others(objects, settings("bank", made, f"{made}.example"))
    refuse_others(objects, settings("shop", made, f"{made}.example"))
    refuse_others(objects, settings("bank", namespace, f"{made}.example"))  # nobody's


def let_pull_quickly(objects: Objects, login: PullLogin, where: str) -> None:
    """No controller makes a ServiceAccount here, so one is made."""
    if objects.get("v1", "Namespace", where) is None:
        objects.apply(make.namespace(where, login.product))
    objects.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}, where)
    let_pull(objects, login, where)


@real
def test_the_owner_of_an_older_registry_takes_it_over_and_nothing_else_changes(
    objects: Objects, namespace: str
) -> None:
    theirs = settings("shop", namespace, f"{namespace}.example")
    for document in documents(theirs):
        objects.apply(older(document))
    for document in documents(theirs):
        before = objects.live(document)
        after = objects.apply(document)
        assert before
        assert owner_of(after) == "shop"
        assert after["metadata"]["annotations"][PRODUCT] == "shop"
        kept = ("spec", "data")  # so that no pod is restarted
        assert [after.get(field) for field in kept] == [before.get(field) for field in kept]


@real
def test_a_lease_says_whose_it_is(connection: Connection, api: ApiServer, namespace: str) -> None:
    with hold(connection, namespace, "airstore-shop", "shop"):
        metadata = api.json("get", "lease", "airstore-shop", "-n", namespace)["metadata"]
    assert metadata["annotations"] == {PRODUCT: "shop"}
    assert owner_of({"metadata": metadata}) == "shop"


@real
def test_two_products_with_registries_of_their_own_pull_in_one_namespace(
    objects: Objects, namespace: str
) -> None:
    for login in (SHOP, BANK, SHOP, BANK):
        let_pull_quickly(objects, login, namespace)
    found = objects.get("v1", "Secret", make.PULL_SECRET, namespace)
    assert found
    assert auths(found) == {SHOP.host: SHOP.password, BANK.host: BANK.password}
    # Each changes its own password and no other, and takes its own host away and no other.
    give_secret(objects, replace(SHOP, password="new"), namespace)
    give_secret(objects, replace(BANK, host="moved.example"), namespace)
    found = objects.get("v1", "Secret", make.PULL_SECRET, namespace)
    assert found
    assert auths(found) == {SHOP.host: "new", "moved.example": BANK.password}


@real
def test_who_shares_a_registry_does_not_undo_its_owners_new_password(
    objects: Objects, namespace: str
) -> None:
    for login in (SHOP, SHARING, replace(SHOP, password="new")):
        give_secret(objects, login, namespace)
    with pytest.raises(UsageError, match="product shop pulls from") as why:
        give_secret(objects, SHARING, namespace)
    assert "registry bootstrap --share" in why.value.hint
    give_secret(objects, replace(SHARING, password="new"), namespace)
    found = objects.get("v1", "Secret", make.PULL_SECRET, namespace)
    assert found
    assert auths(found) == {HOST: "new"}
    assert json.loads(found["metadata"]["annotations"][PRODUCTS]) == {HOST: ["bank", "shop"]}


@real
def test_a_pull_secret_of_an_older_airstore_keeps_its_products_login(
    objects: Objects, namespace: str
) -> None:
    objects.apply(older(pull_secret(SHOP, namespace)))
    give_secret(objects, BANK, namespace)
    found = objects.get("v1", "Secret", make.PULL_SECRET, namespace)
    assert found
    assert auths(found) == {SHOP.host: SHOP.password, BANK.host: BANK.password}
    give_secret(objects, replace(SHOP, password="new", decides=False), namespace)
    with pytest.raises(UsageError, match="another login"):
        give_secret(objects, SHARING, namespace)


@real
def test_a_pull_secret_that_somebody_made_by_hand_is_left_alone(objects: Objects, namespace: str) -> None:
    by_hand = pull_secret(replace(SHOP, password="by hand"), namespace)
    by_hand["metadata"] = {"name": make.PULL_SECRET, "namespace": namespace}
    objects.apply(by_hand, manager="somebody")
    with pytest.raises(ConflictError, match="belongs to somebody"):
        give_secret(objects, SHOP, namespace)
    found = objects.get("v1", "Secret", make.PULL_SECRET, namespace)
    assert found
    assert auths(found) == {HOST: "by hand"}


hosts = st.sampled_from(["a.example", "b.example:5000", "c.example"])
logins = st.builds(
    lambda host, product: PullLogin(host, product, f"{product} at {host}", product, decides=True),
    hosts, st.sampled_from(["shop", "bank", "post"]),
)  # fmt: skip


@given(st.lists(logins, min_size=1, max_size=8))
def test_a_secret_holds_the_last_login_of_each_host_that_a_product_still_uses(
    given_logins: list[PullLogin],
) -> None:
    secret: dict[str, Any] | None = None
    for login in given_logins:
        secret = pull_secret(login, "space", secret)
    assert secret
    used = {login.product: login.host for login in given_logins}  # the last one of each
    last = {login.host: login.password for login in given_logins}
    assert auths(secret) == {host: last[host] for host in used.values()}
    noted = json.loads(secret["metadata"]["annotations"][PRODUCTS])
    assert {(product, host) for host, names in noted.items() for product in names} == set(used.items())
