"""Two products in one registry: the tag of one is not moved by the other one's image of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.core.errors import UsageError
from airstore.core.image.digest import Digest
from airstore.core.progress import QUIET
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.push import PushOptions, push_release
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases.trusted import trusted_release
from airstore.registry.client.manifests import read_manifest
from tests.support.product.tiny_product import Tiny, make_layout, make_tiny
from tests.support.registry.servers import RegistryServer


def product(base: Path, text: str, name: str) -> Tiny:
    """One whose image has this layer; all have it under the same name."""
    tiny = make_tiny(base)
    make_layout(tiny.layout, text=text)
    tiny.edit("name: tiny", f"name: {name}")
    assert tiny.create().code == 0
    return tiny


def push(tiny: Tiny, registry: RegistryServer, version: str = "", *, keep_tags: bool = True) -> None:
    store = open_directory(tiny.store)
    access = RegistryOptions(plain_http=frozenset({registry.host}))
    with store.open_blobs() as blobs:
        release = trusted_release(store, version)
        push_release(
            store, blobs, release, f"{registry.host}/tags", access, PushOptions(QUIET, 2, 0, keep_tags)
        )


def tagged(registry: RegistryServer) -> Digest:
    with RegistryOptions(plain_http=frozenset({registry.host})).client(registry.host) as client:
        found = read_manifest(client.transport, "tags/tiny/app", "1")
    assert found
    return found[0].digest


def test_a_tag_of_another_product_is_not_moved(registry: RegistryServer, helm4: Path, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "bank").mkdir()
    shop, bank = product(tmp_path / "shop", "shop's", "shop"), product(tmp_path / "bank", "bank's", "bank")
    push(shop, registry)
    first = tagged(registry)
    with pytest.raises(UsageError, match=r"tags/tiny/app:1 .*; nothing was pushed") as why:
        push(bank, registry)
    assert "a registry of its own" in why.value.hint
    assert tagged(registry) == first
    # Its own it may move, forward and back.
    make_layout(shop.layout, text="newer")
    assert shop.create("1.1.0").code == 0
    push(shop, registry)
    assert tagged(registry) != first
    push(shop, registry, "1.0.0")
    assert tagged(registry) == first
    # A registry that airstore did not make is the site's, who says what goes there.
    push(bank, registry, keep_tags=False)
    assert tagged(registry) != first
