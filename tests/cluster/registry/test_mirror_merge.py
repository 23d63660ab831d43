"""Files of nodes that hold another product's configuration, or a person's: merged, or marked to be merged."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.cluster.registry.mirror_config import Mirror, NodeFile, mirror_files
from airstore.cluster.registry.mirror_merge import NeedsMergingError, merged
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.model.site import load_site_file
from airstore.core.parsing import yamlfile
from airstore.ops.registry.incluster.mirror_config import node_files, write_files
from airstore.ops.stores.directory import SITE, StoreDirectory
from tests.cluster.registry.test_cluster_plan import HOST, RELEASE

SHOP = Mirror(HOST, ("docker.io", "shop.example"), "PEM\n", product="shop")
BANK = replace(SHOP, upstreams=("bank.example", "docker.io"), product="bank")

ELSEWHERE = replace(BANK, host="other.example")
REGISTRIES = "etc/rancher/k3s/registries.yaml"
DOCKER = "etc/containerd/certs.d/docker.io/hosts.toml"
CRIO = "etc/containers/registries.conf.d/50-airstore.conf"


def logged_in(mirror: Mirror) -> Mirror:
    return replace(mirror, user="pull", password="word")


def write(runtime: str, mirror: Mirror, directory: Path) -> list[str]:
    """Why files have to be merged by hand."""
    written = write_files(mirror_files(runtime, mirror), directory, mirror.product)
    return [each.why for each in written if each.why]


def older(runtime: str, mirror: Mirror, directory: Path) -> None:
    """As an airstore wrote them that noted no product."""
    for file in mirror_files(runtime, mirror):
        path = directory / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)


def tree(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.mark.parametrize("runtime", ["containerd", "k3s", "crio", "openshift"])
@pytest.mark.parametrize("first", [write, older])
def test_two_products_of_one_registry_are_in_one_file(tmp_path: Path, runtime: str, first: object) -> None:
    (write if first is write else older)(runtime, SHOP, tmp_path)
    assert write(runtime, BANK, tmp_path) == []
    assert write(runtime, SHOP, tmp_path) == []
    settled = tree(tmp_path)
    assert write(runtime, BANK, tmp_path) == []
    assert tree(tmp_path) == settled
    said = b"".join(settled.values()).decode()
    assert "shop.example" in said + " ".join(settled)
    assert "bank.example" in said + " ".join(settled)


def test_k3s_keeps_what_a_person_wrote_beside_it(tmp_path: Path) -> None:
    mine = tmp_path / REGISTRIES
    mine.parent.mkdir(parents=True)
    mine.write_text(
        "mirrors:\n  quay.io: {endpoint: ['https://mine']}\nconfigs: {mine: {auth: {token: t}}}\n"
    )
    assert write("k3s", logged_in(SHOP), tmp_path) == []
    found = yamlfile.load(mine.read_bytes(), "")
    assert found["mirrors"]["quay.io"] == {"endpoint": ["https://mine"]}
    assert found["mirrors"]["docker.io"] == {"endpoint": [f"https://{HOST}"]}
    assert found["configs"]["mine"] == {"auth": {"token": "t"}}
    assert found["configs"][HOST]["auth"]["password"] == "word"
    assert mine.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("runtime", "file"), [("k3s", REGISTRIES), ("containerd", DOCKER), ("crio", CRIO)])
def test_another_registry_for_the_same_images_is_left_and_said(
    tmp_path: Path, runtime: str, file: str
) -> None:
    write(runtime, SHOP, tmp_path)
    before = tree(tmp_path)
    (why,) = write(runtime, ELSEWHERE, tmp_path)
    assert f"{file} is not changed: " in why
    after = tree(tmp_path)
    assert {path: after[path] for path in before} == before
    assert b"other.example" in after[f"{file}.to-merge"]


@pytest.mark.parametrize(("runtime", "file"), [("k3s", REGISTRIES), ("containerd", DOCKER), ("crio", CRIO)])
def test_a_products_own_file_follows_it_to_another_registry(tmp_path: Path, runtime: str, file: str) -> None:
    write(runtime, BANK, tmp_path)
    assert write(runtime, ELSEWHERE, tmp_path) == []
    assert HOST not in (tmp_path / file).read_text()


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[1, 2]", b"a: [", b"mirrors: {docker.io: {endpoint: 7}}"])
def test_what_does_not_read_is_left_alone(tmp_path: Path, text: bytes) -> None:
    for runtime, file in (("k3s", REGISTRIES), ("crio", CRIO), ("containerd", DOCKER)):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        (why,) = write(runtime, SHOP, tmp_path)
        assert "is not changed" in why
        assert path.read_bytes() == text


def test_containerd_keeps_a_login_that_another_product_needs(tmp_path: Path) -> None:
    path = tmp_path / DOCKER
    write("containerd", logged_in(SHOP), tmp_path)
    assert write("containerd", BANK, tmp_path) == []
    assert "authorization" in tomllib.loads(path.read_text())["header"]
    assert path.read_text().startswith("# airstore: for product bank, shop\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert write("containerd", replace(BANK, user="pull", password="new"), tmp_path) == []
    assert tomllib.loads(path.read_text())["header"]["authorization"] == "Basic cHVsbDpuZXc="


def test_crio_has_one_file_of_logins_for_all(tmp_path: Path) -> None:
    file = tmp_path / "etc/airstore/registry-auth.json"
    write("crio", logged_in(SHOP), tmp_path)
    elsewhere = logged_in(replace(ELSEWHERE, upstreams=("bank.example",)))
    assert write("crio", elsewhere, tmp_path) == []
    document = json.loads(file.read_text())
    assert {*document["auths"]} == {HOST, "docker.io", "shop.example", "other.example", "bank.example"}
    assert document["airstore"] == ["bank", "shop"]
    (why,) = write("crio", replace(elsewhere, password="new"), tmp_path)
    assert "says otherwise about auths.other.example.auth" in why
    assert json.loads(file.read_text()) == document


def test_another_authority_of_one_host_is_said(tmp_path: Path) -> None:
    write("containerd", SHOP, tmp_path)
    assert write("containerd", replace(SHOP, ca="NEW\n"), tmp_path) == []
    (why,) = write("containerd", replace(BANK, ca="OTHER\n"), tmp_path)
    assert "ca.pem is not changed" in why


def test_a_crio_file_with_other_settings_is_not_ours_to_write() -> None:
    (file,) = (each for each in mirror_files("crio", SHOP) if each.form == "crio")
    for text in ("short-name-mode = 'enforcing'\n", '[[registry]]\nprefix = "docker.io"\nblocked = true\n'):
        with pytest.raises(NeedsMergingError):
            merged(file, text, "shop")


def external(tmp_path: Path, site: str) -> list[NodeFile]:
    (tmp_path / "site.yaml").write_text(f"apiVersion: airstore/v1\nkind: Site\nregistry: {site}\n")
    file = load_site_file(tmp_path / "site.yaml")
    store = StoreDirectory(tmp_path, SITE, "acme", None)
    return node_files(store, RELEASE, file, "containerd", dt.datetime.now(dt.UTC), credentials=True)


def test_credentials_of_an_external_registry_are_its_pull_users(tmp_path: Path) -> None:
    named = "{mode: external, host: reg.example, pullUser: robot, pullPasswordFile: word"
    with pytest.raises(NotFoundError, match="cannot read the password file"):
        external(tmp_path, named + "}")
    (tmp_path / "word").write_text("secret\n")
    for site in (named + "}", named + ", pullSecret: theirs}"):
        files = external(tmp_path, site)
        assert all("Basic cm9ib3Q6c2VjcmV0" in each.text for each in files)
        assert all(each.private for each in files)
    with pytest.raises(UsageError, match="names no user") as why:
        external(tmp_path, "{mode: external, host: reg.example}")
    assert "registry.pullUser" in why.value.hint
