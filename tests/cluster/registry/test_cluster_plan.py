"""What is decided before a registry is bootstrapped: its plan, and its documents."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from airstore.cluster.api.facts import ClassOf, Facts, Node, VolumeClaim
from airstore.cluster.registry import objects as make
from airstore.cluster.registry.bootstrap import choose_node, plan, runs
from airstore.cluster.registry.pull_secrets import PullLogin, pull_secret
from airstore.cluster.registry.settings import RegistrySettings, settings_of
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.model.release import Image, Release
from airstore.core.model.sections import ProductRegistry
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import registry_from_section

ROOT = Descriptor("application/vnd.oci.image.manifest.v1+json", Digest.of(b"root"), 4)
IMAGE = Image(Reference.parse("registry.example.com/shop/registry:2.8"), ROOT, (ROOT,))
RELEASE = Release(
    "shop",
    "1.0.0",
    1,
    None,
    (),
    (IMAGE,),
    (),
    (),
    {},
    ProductRegistry("registry.example.com/shop/registry:2.8"),
)
HOST = "registry.acme.example:5443"
SECRETS = make.RegistrySecrets("pull-word", "push-word", "pull-lines", "push-lines", "http-word")
WORKER = Node("b", True, False, "amd64", "containerd://1.7.1", "v1.30.1", ("10.0.0.2",))
FACTS = Facts(
    "v1.30.1",
    (Node("a", True, True, "amd64", "containerd://1.7.1", "v1.30.1", ("10.0.0.1",)), WORKER),
    (ClassOf("fast", True), ClassOf("slow", False)),
    (ClassOf("nginx", True),),
    frozenset({""}),
    (),
)


def settings(**registry: Any) -> RegistrySettings:
    return settings_of(RELEASE, SiteFile(registry_from_section({"host": HOST, **registry})))


def test_settings_come_from_the_product_and_the_site_wins() -> None:
    release = replace(RELEASE, registry=replace(RELEASE.registry, storage="9Gi", replicas=5))
    wanted = settings_of(release, SiteFile(registry_from_section({"host": HOST, "storage": "2Gi"})))
    assert (wanted.storage, wanted.replicas, wanted.running) == ("2Gi", 5, 1)
    assert settings(accessMode="ReadWriteMany").running == 3
    assert settings().private_reference == f"{HOST}/shop/registry:2.8@{ROOT.digest}"
    assert settings().host_names == ("registry.acme.example",)


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        ({}, "what nodes shall call"),
        ({"mode": "external", "host": HOST}, "external"),
        ({"mode": "serve"}, "serve"),
    ],
)
def test_sites_that_want_none(registry: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        settings_of(RELEASE, SiteFile(registry_from_section(registry)))


def test_releases_without_a_registry_image() -> None:
    site = SiteFile(registry_from_section({"host": HOST}))
    with pytest.raises(UsageError, match="brings no registry image"):
        settings_of(replace(RELEASE, registry=ProductRegistry()), site)
    with pytest.raises(UsageError, match="does not contain it"):
        settings_of(replace(RELEASE, images=()), site)


def test_a_node_is_chosen() -> None:
    assert choose_node(FACTS).name == "b"  # a worker rather than the control plane
    labelled = replace(FACTS.nodes[0], labels={"primary-registry": "true"})
    assert choose_node(replace(FACTS, nodes=(labelled, WORKER))).name == "a"
    assert choose_node(FACTS, "a").name == "a"
    with pytest.raises(NotFoundError, match="no node 'c'"):
        choose_node(FACTS, "c")
    broken = replace(WORKER, usable=False)
    with pytest.raises(NotFoundError, match="not ready"):
        choose_node(replace(FACTS, nodes=(broken,)), "b")
    with pytest.raises(NotFoundError, match="no node of the cluster"):
        choose_node(replace(FACTS, nodes=(broken,)))


def test_what_the_cluster_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="no storage class 'none'") as caught:
        plan(settings(storageClass="none"), FACTS, None)
    assert "fast, slow" in caught.value.hint
    with pytest.raises(UsageError, match="no default storage class"):
        plan(settings(), replace(FACTS, storage_classes=()), None)
    with pytest.raises(UsageError, match="no ingress class 'none'"):
        plan(settings(ingressClass="none"), FACTS, None)
    static = replace(FACTS, volume_classes=frozenset({"disk"}))
    assert plan(settings(storageClass="disk"), static, None).steps


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (VolumeClaim("registry", "registry", "slow", "1Gi", ("ReadWriteOnce",)), "storage class 'slow'"),
        (VolumeClaim("registry", "registry", "fast", "1Gi", ("ReadWriteMany",)), "access mode"),
        (VolumeClaim("registry", "registry", "fast", "30Gi", ("ReadWriteOnce",)), "cannot shrink"),
    ],
)
def test_a_volume_that_is_there_and_different(claim: VolumeClaim, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(settings(storageClass="fast"), replace(FACTS, claims=(claim,)), None)


def test_a_registry_that_runs_is_not_started_again() -> None:
    image = settings().private_reference.replace("2.8", "2.7")
    deployment = {
        "status": {"availableReplicas": 1},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    }
    assert runs(settings(), deployment)
    done = {step.name for step in plan(settings(), FACTS, deployment).steps if not step.needed}
    assert done == {"load", "label", "start"}
    assert not runs(settings(), {**deployment, "status": {}})
    seed = make.seed(settings(), SECRETS)
    assert not runs(settings(), {**seed, "status": {"availableReplicas": 1}})
    assert not runs(settings(), None)
    assert all(step.needed for step in plan(settings(), FACTS, None).steps)


def test_one_pod_is_warned_about() -> None:
    assert "ReadWriteMany" in plan(settings(), FACTS, None).warnings[0]
    assert not plan(settings(accessMode="ReadWriteMany"), FACTS, None).warnings


def test_the_first_deployment_takes_nothing_from_outside() -> None:
    pod = make.seed(settings(), SECRETS)["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"primary-registry": "true"}
    assert {c["imagePullPolicy"] for c in pod["containers"]} == {"Never"}
    assert {c["image"] for c in pod["containers"]} == {f"{HOST}/shop/registry:2.8"}
    proper = make.proper(settings(), SECRETS, 1)["spec"]["template"]["spec"]
    assert "nodeSelector" not in proper
    assert {c["image"] for c in proper["containers"]} == {settings().private_reference}
    assert not pod["enableServiceLinks"]


def test_the_pull_server_is_read_only_and_uploads_are_not_in_the_ingress() -> None:
    pull, push = make.proper(settings(), SECRETS, 1)["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry.get("value") for entry in pull["env"]}
    assert environment["REGISTRY_STORAGE_MAINTENANCE_READONLY"] == '{"enabled": true}'
    assert all(entry["name"] != "REGISTRY_STORAGE_MAINTENANCE_READONLY" for entry in push["env"])
    rules = make.ingress(settings())["spec"]["rules"]
    assert [rule["host"] for rule in rules] == ["registry.acme.example"]
    both = make.ingress(settings(pushHost="push.acme.example"))["spec"]["rules"]
    ports = [rule["http"]["paths"][0]["backend"]["service"]["port"]["name"] for rule in both]
    assert ports == ["pull", "push"]


def test_passwords_are_in_secrets_only() -> None:
    wanted = settings()
    others = [make.proper(wanted, SECRETS, 1), make.seed(wanted, SECRETS), make.ingress(wanted)]
    others += [make.claim(wanted), make.service(wanted)]
    for word in ("pull-word", "push-word", "pull-lines", "http-word"):
        assert word not in json.dumps(others)
        assert word not in repr(SECRETS)
    login = PullLogin(HOST, "pull", "pull-word", "shop")
    config = pull_secret(login, "shop")["data"][".dockerconfigjson"]
    assert "pull-word" not in repr(login)
    assert list(json.loads(base64.b64decode(config))["auths"]) == [HOST]


def test_another_password_restarts_the_pods() -> None:
    def mark(secrets: make.RegistrySecrets) -> object:
        return make.proper(settings(), secrets, 1)["spec"]["template"]["metadata"]["annotations"]

    assert mark(SECRETS) == mark(SECRETS)
    assert mark(SECRETS) != mark(replace(SECRETS, htpasswd_pull="other"))
