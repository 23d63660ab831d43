"""What is decided before anything is changed: the bootstrap's plan, its documents, node configuration."""

from __future__ import annotations

import base64
import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.cluster.api.facts import ClassOf, Facts, Node, VolumeClaim
from airstore.cluster.api.lease import Holder
from airstore.cluster.registry import objects as make
from airstore.cluster.registry.bootstrap import choose_node, plan, quantity, runs
from airstore.cluster.registry.mirror_config import RUNTIMES, Mirror, mirror_files
from airstore.cluster.registry.node_load import Ctr
from airstore.cluster.registry.pull_secrets import PullLogin, pull_secret
from airstore.cluster.registry.settings import RegistrySettings, settings_of
from airstore.cluster.workloads.workloads import proxy_path
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.model.release import Image, Release
from airstore.core.model.sections import ProductRegistry
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import registry_from_section
from airstore.core.parsing import yamlfile
from airstore.ops.registry.incluster.node_access import NodeOptions, find_loader

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


MIRROR = Mirror(HOST, ("docker.io", "registry.example.com"), "PEM\n", "pull", 'pa"ss\\word', product="shop")


def _files(runtime: str, mirror: Mirror = MIRROR) -> dict[str, str]:
    return {file.path: file.text for file in mirror_files(runtime, mirror)}


def test_containerd_asks_the_mirror_last_too() -> None:
    files = _files("containerd")
    for host in ("docker.io", "registry.example.com", HOST):
        config = tomllib.loads(files[f"/etc/containerd/certs.d/{host}/hosts.toml"])
        assert config["server"] == f"https://{HOST}"
        assert list(config["host"]) == [f"https://{HOST}"]
        assert config["host"][f"https://{HOST}"]["capabilities"] == ["pull", "resolve"]
        token = config["header"]["authorization"].removeprefix("Basic ")
        assert base64.b64decode(token).decode() == 'pull:pa"ss\\word'
    assert files[f"/etc/containerd/certs.d/{HOST}/ca.pem"] == "PEM\n"


def test_a_prefix_is_before_every_upstream_path_and_not_twice() -> None:
    below = replace(MIRROR, prefix="shop")
    files = _files("containerd", below)
    upstream = tomllib.loads(files["/etc/containerd/certs.d/docker.io/hosts.toml"])
    assert upstream["server"] == f"https://{HOST}/v2/shop"
    assert upstream["override_path"]
    assert upstream["host"][f"https://{HOST}/v2/shop"]["override_path"]
    own = tomllib.loads(files[f"/etc/containerd/certs.d/{HOST}/hosts.toml"])
    assert own["server"] == f"https://{HOST}"
    assert (
        f'location = "{HOST}/shop"'
        in _files("crio", below)["/etc/containers/registries.conf.d/50-airstore.conf"]
    )
    assert "shop/$1" in _files("k3s", below)["/etc/rancher/k3s/registries.yaml"]
    assert f"- {HOST}/shop" in _files("openshift", below)["airstore-shop-mirrors.yaml"]


def test_k3s_does_not_fall_back() -> None:
    files = _files("k3s")
    config = yamlfile.load(files["/etc/rancher/k3s/registries.yaml"], "")
    assert config["mirrors"]["docker.io"] == {"endpoint": [f"https://{HOST}"]}
    assert config["configs"][HOST]["auth"]["password"] == 'pa"ss\\word'
    assert yamlfile.load(files["/etc/rancher/k3s/config.yaml.d/airstore.yaml"], "") == {
        "disable-default-registry-endpoint": True
    }


def test_crio_has_another_location_instead_of_a_mirror() -> None:
    files = _files("crio")
    config = tomllib.loads(files["/etc/containers/registries.conf.d/50-airstore.conf"])
    assert {entry["prefix"]: entry["location"] for entry in config["registry"]} == {
        "docker.io": HOST,
        "registry.example.com": HOST,
    }
    assert all("mirror" not in entry for entry in config["registry"])


def test_openshift_never_contacts_the_source() -> None:
    files = _files("openshift")
    documents = yamlfile.load_all(files["airstore-shop-mirrors.yaml"], "")
    assert [d["kind"] for d in documents] == ["ImageDigestMirrorSet", "ImageTagMirrorSet"]
    assert {d["metadata"]["name"] for d in documents} == {"airstore-shop"}
    for document, name in zip(documents, ("imageDigestMirrors", "imageTagMirrors"), strict=False):
        assert {entry["mirrorSourcePolicy"] for entry in document["spec"][name]} == {"NeverContactSource"}


def test_openshifts_one_list_of_authorities_is_to_be_merged() -> None:
    text = _files("openshift")["airstore-shop-trust-to-merge.yaml"]
    assert "additionalTrustedCA.name" in text.partition("---")[0]
    trusted, image = yamlfile.load_all(text, "")
    assert trusted["metadata"]["name"] == image["spec"]["additionalTrustedCA"]["name"] == "airstore-shop-ca"
    assert list(trusted["data"]) == ["registry.acme.example..5443"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_files_with_a_password_are_private(runtime: str) -> None:
    token = base64.b64encode(b'pull:pa"ss\\word').decode()
    for file in mirror_files(runtime, MIRROR):
        secret = token in file.text or "ss\\word" in file.text
        assert file.private or not secret
    without = mirror_files(runtime, replace(MIRROR, user="", password=""))
    assert not any(file.private for file in without)


def test_ways_to_a_node() -> None:
    here = frozenset({"b"})
    assert find_loader(WORKER, NodeOptions(), here) == Ctr()
    assert find_loader(WORKER, NodeOptions(ssh="root@b"), frozenset()) == Ctr(target="root@b")
    with pytest.raises(UsageError, match="another machine"):
        find_loader(WORKER, NodeOptions(), frozenset())
    k3s = replace(WORKER, runtime="containerd://1.7.1-k3s1")
    assert find_loader(k3s, NodeOptions(), here).describe().startswith("k3s ctr images import")
    with pytest.raises(UsageError, match="not containerd"):
        find_loader(replace(WORKER, runtime="cri-o://1.30"), NodeOptions(), here)


def test_ssh_asks_nothing_and_knows_the_host() -> None:
    argv = Ctr(target="ann@node", socket="/run/a b.sock").argv(["images", "import", "-"])
    assert argv[0] == "ssh"
    assert "BatchMode=yes" in argv
    assert "StrictHostKeyChecking=yes" in argv
    assert argv[-3:-1] == ["--", "ann@node"]
    assert argv[-1] == "sudo -n ctr --address '/run/a b.sock' -n k8s.io images import -"
    assert not Ctr(target="root@node").argv(["x"])[-1].startswith("sudo")


@pytest.mark.parametrize("target", ["-oProxyCommand=x", "a b", "root@", "root@-x", "a;b", "@host"])
def test_ssh_targets_that_are_options_or_commands(target: str) -> None:
    with pytest.raises(UsageError, match="not a place for ssh"):
        Ctr(target=target)


@given(st.integers(1, 10**6), st.sampled_from(["", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"]))
def test_quantities_grow_with_their_number(number: int, unit: str) -> None:
    assert quantity(f"{number}{unit}") < quantity(f"{number + 1}{unit}")


def test_quantities() -> None:
    assert quantity("1.5Gi") == 1.5 * 2**30
    assert quantity("1G") < quantity("1Gi")
    with pytest.raises(UsageError):
        quantity("a lot")


def test_services_are_asked_through_the_api_server() -> None:
    assert (
        proxy_path("http://api.shop/healthz", "x") == "/api/v1/namespaces/shop/services/api:80/proxy/healthz"
    )
    assert proxy_path("https://api:8443", "x") == "/api/v1/namespaces/x/services/https:api:8443/proxy/"
    assert "/namespaces/shop/" in proxy_path("http://api.shop.svc.cluster.local/", "x")
    for url in ("ftp://api/", "http:///x", "http://example.com.org/", "nonsense"):
        with pytest.raises(UsageError, match="not the URL of a Service"):
            proxy_path(url, "x")


def test_holders_that_are_gone() -> None:
    here = Holder("host", 1, "boot", "space")
    assert Holder("host", 2**22 + 1, "boot", "space").is_gone(here)  # above the largest process number
    assert Holder("host", 1, "earlier", "space").is_gone(here)
    assert not Holder("host", 2**22 + 1, "boot", "container").is_gone(here)
    assert not Holder("other", 2**22 + 1, "boot", "space").is_gone(here)
    assert Holder.parse(str(here)) == here
    assert Holder.parse("somebody-else") is None
