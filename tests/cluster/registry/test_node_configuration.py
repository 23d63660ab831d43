"""What nodes are told of a registry, how they are reached; quantities and holders of objects."""

from __future__ import annotations

import base64
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.cluster.api.lease import Holder
from airstore.cluster.registry.bootstrap import quantity
from airstore.cluster.registry.mirror_config import RUNTIMES, Mirror, mirror_files
from airstore.cluster.registry.node_load import Ctr
from airstore.cluster.workloads.workloads import proxy_path
from airstore.core.errors import UsageError
from airstore.core.parsing import yamlfile
from airstore.ops.registry.incluster.node_access import NodeOptions, find_loader
from tests.cluster.registry.test_cluster_plan import HOST, WORKER

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
