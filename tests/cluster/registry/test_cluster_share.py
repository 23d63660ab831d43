"""Sharing the registry of another product: what is refused, what is read from where, by a real API server."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Connection, connect
from airstore.cluster.registry import objects as make
from airstore.cluster.registry.owners import find_registry
from airstore.cluster.registry.pull_secrets import give_secret
from airstore.core.errors import AirstoreError, NotFoundError, TransferError, UsageError
from airstore.core.model.sections import ProductRegistry
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import registry_from_section
from airstore.ops.registry.incluster.share import Share, share
from airstore.ops.registry.incluster.shared import RegistryAccess, read_access, write_access
from airstore.ops.stores.directory import StoreDirectory
from tests.cluster.registry.test_cluster_owners import SHOP, settings
from tests.cluster.registry.test_cluster_plan import RELEASE, SECRETS
from tests.support.kubernetes.cluster_server import ApiServer

ACCESS = RegistryAccess("shop", "reg.example:5443", "registry", "", "pull-word", "push-word", "PEM\n")
BANK = replace(RELEASE, product="bank", registry=ProductRegistry())
real = pytest.mark.cluster


def site(namespace: str, **registry: Any) -> SiteFile:
    return SiteFile(registry_from_section({"host": f"{namespace}.example:5443", **registry}))


def sharing(connection: Connection, file: SiteFile, path: Path | None = None) -> Share:
    """Of a product that has no registry image; what is refused never gets as far as the store."""
    return Share(cast("StoreDirectory", None), connection, file, BANK, lambda _text: None, path)


@pytest.fixture
def shops(objects: Objects, namespace: str) -> Iterator[str]:
    """A namespace with the shop's registry, as far as an API server alone has one."""
    wanted = settings("shop", namespace, f"{namespace}.example:5443")
    objects.apply(make.ingress(wanted))
    objects.apply(make.push_secret(wanted, SECRETS, "PEM\n"))
    give_secret(objects, replace(SHOP, host=wanted.host), namespace)
    yield namespace
    objects.delete(make.ingress(wanted))


@real
def test_the_registry_is_found_by_its_host(objects: Objects, shops: str) -> None:
    assert find_registry(objects, f"{shops}.example:5443") == (shops, "shop")
    assert find_registry(objects, f"{shops}.example", shops) == (shops, "shop")
    with pytest.raises(NotFoundError, match=r"made for other\.example") as why:
        find_registry(objects, "other.example")
    assert f"{shops}.example (shop)" in why.value.hint
    with pytest.raises(NotFoundError):
        find_registry(objects, f"{shops}.example", "default")


@real
@pytest.mark.parametrize(
    ("registry", "said"),
    [({"mode": "external"}, "does not name the registry"), ({"host": "other.example"}, "no registry that")],
)
def test_a_site_file_that_names_another_registry(
    connection: Connection, shops: str, registry: dict[str, str], said: str
) -> None:
    with pytest.raises(AirstoreError, match=said):
        share(sharing(connection, site(shops, **registry)))


@real
def test_ones_own_registry_is_not_shared(connection: Connection, shops: str) -> None:
    work = replace(sharing(connection, site(shops)), release=RELEASE)
    with pytest.raises(UsageError, match="is the registry of shop itself"):
        share(work)


@real
def test_an_older_registry_has_no_passwords_to_read(
    connection: Connection, objects: Objects, shops: str
) -> None:
    objects.delete({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": make.PUSH_SECRET}}, shops)
    with pytest.raises(NotFoundError, match="older airstore") as why:
        share(sharing(connection, site(shops)))
    assert "with the store of product shop" in why.value.hint
    assert "export-access" in why.value.hint


@real
def test_who_may_not_read_secrets_needs_a_file(api: ApiServer, shops: str) -> None:
    rule = {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list"]}
    with (
        api.granted(shops, [rule]) as kubeconfig,
        connect(kubeconfig) as guest,
        pytest.raises(TransferError, match="may not read the Secrets") as why,
    ):
        share(sharing(guest, site(shops)))
    assert "site's store of product shop" in why.value.hint
    assert "--access FILE" in why.value.hint


@real
@pytest.mark.parametrize(
    "other", [{"product": "post"}, {"host": "{0}.example:1"}, {"namespace": "elsewhere"}], ids=str
)
def test_a_file_of_another_registry(
    connection: Connection, tmp_path: Path, shops: str, other: dict[str, str]
) -> None:
    known = {"host": f"{shops}.example:5443", "namespace": shops}
    changed = {**known, **{key: value.format(shops) for key, value in other.items()}}
    write_access(replace(ACCESS, **changed), tmp_path / "access.json")
    with pytest.raises(UsageError, match=f"the cluster has {shops}.example:5443 of product shop"):
        share(sharing(connection, site(shops), tmp_path / "access.json"))


def test_an_exported_access_is_private_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    write_access(ACCESS, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_access(path) == ACCESS
    with pytest.raises(UsageError, match="is there already"):
        write_access(ACCESS, path)
    assert "pull-word" not in repr(ACCESS)
    assert "push-word" not in repr(ACCESS)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"kind": "Site"}'])
def test_a_file_that_is_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "access.json"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"access\.json") as why:
        read_access(path)
    assert "export-access" in why.value.hint
    with pytest.raises(NotFoundError, match="cannot read the registry access"):
        read_access(tmp_path / "none")


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(text, text, text, text)
def test_an_access_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, host: str, pull: str, push: str, ca: str
) -> None:
    path = tmp_path_factory.mktemp("access") / "file"
    access = RegistryAccess("shop", host, "registry", "", pull, push, ca)
    write_access(access, path)
    assert read_access(path) == access
