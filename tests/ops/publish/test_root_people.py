"""The next trust root: drafts that are refused, and one that several people sign in turn."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airstore.trust.ssh.keys import PrivateKey
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    refused,
    sound,
    unchanged,
)
from tests.support.product.rotation import Rotation, root_of

pytestmark = pytest.mark.slow


def test_drafts_are_refused_where_they_cannot_be(rotation: Rotation) -> None:
    publisher = rotation.road.publisher
    root = ("-C", publisher, "trust", "root")
    with unchanged(publisher):
        refused(airstore(*root, "remove-key", "release"), 2, "no key would be left in the role release")
        refused(airstore(*root, "remove-key", "nobody"), 10, "no key 'nobody'", "release, root")
        refused(airstore(*root, "add-key", "release"), 2, "in the role release already")
        refused(airstore(*root, "add-key", "nobody"), 10, "neither a public key's file")
        refused(airstore(*root, "create", "--root-threshold", "2"), 2, "threshold of 2 cannot be met by 1")
        assert airstore(*root, "create", "--expires", "soon").code == 2
        refused(airstore(*root, "sign", "--key-file", rotation.root_key), 10, "no draft")
    rotation.change("create", "--expires", "365d")
    refused(airstore(*root, "create"), 2, "--replace")
    refused(airstore(*root, "sign", "--key", "release"), 2, "release is no root key")
    refused(airstore(*root, "sign"), 2, "nothing to sign with")
    rotation.sign()
    expires = done(*root, "show", "-o", "json").json()["expires"]
    assert expires.startswith("20")
    rotation.change("create", "--expires", "never")
    rotation.sign()
    assert done(*root, "show", "-o", "json").json()["expires"] == "never"


def test_two_of_three_people_rotate_the_root(rotation: Rotation, tmp_path: Path) -> None:
    """Each signs a copy of the draft on another machine, without a store; two are enough, one is not."""
    road = rotation.road
    people = {}
    for name in ("anna", "ben", "cleo", "dora"):
        key, people[name] = PrivateKey.generate(), tmp_path / name
        key.save(people[name])
        key.public.save(tmp_path / f"{name}.pub")
    for name in ("anna", "ben", "cleo"):
        rotation.change("add-key", tmp_path / f"{name}.pub", "--role", "root")
    rotation.change("remove-key", "root", "--root-threshold", "2")
    done("-C", road.publisher, "trust", "root", "sign", "--key-file", rotation.root_key)
    draft, carried = road.publisher / "trust" / "next.json", tmp_path / "draft.json"

    def in_turn(*names: str) -> Path:
        shutil.copyfile(draft, carried)
        for name in names:
            done("trust", "root", "sign", carried, "--key-file", people[name])
        return carried

    importing = ("-C", road.publisher, "trust", "root", "import", carried)
    in_turn("anna", "anna")
    with unchanged(road.publisher):
        refused(airstore(*importing), 30, "1 of the 3 trusted keys; 2 must sign")
    in_turn("anna", "ben")
    done(*importing)
    assert not draft.exists()
    rotation.change("add-key", tmp_path / "dora.pub", "--role", "root")
    rotation.change("remove-key", "anna")
    in_turn("dora", "cleo")  # two of the new ones, one of the old
    with unchanged(road.publisher):
        refused(airstore(*importing), 30, "1 of the 3 trusted keys; 2 must sign")
    in_turn("dora", "cleo", "ben")
    done(*importing)
    shown = done("-C", road.publisher, "trust", "root", "show", "-o", "json").json()
    assert (shown["version"], shown["signed_by"]) == (3, ["ben", "cleo", "dora"])
    site = road.site
    rotation.imports(site, rotation.media("1.1.0", "release"))
    assert root_of(site) == 3
    sound(site, "1.0.0", "1.1.0")


def test_a_first_root_of_three_people(tmp_path: Path, road: Road) -> None:
    store, root = tmp_path / "s", ("-C", tmp_path / "s", "trust", "root")
    done("init", store, "--product", road.product)
    options: list[str | Path] = []
    for name in ("anna", "ben", "release"):
        key = PrivateKey.generate()
        key.save(tmp_path / name)
        key.public.save(tmp_path / f"{name}.pub")
        options += ["--release-key" if name == "release" else "--root-key", f"{name}={tmp_path / name}.pub"]
    done(*root, "create", *options, "--root-threshold", "2")
    done(*root, "sign", "--key-file", tmp_path / "anna")
    refused(airstore("-C", store, "log"), 10, "has no trust root yet")
    done(*root, "sign", "--key-file", tmp_path / "ben")
    shown = done(*root, "show", "-o", "json").json()
    assert (shown["version"], shown["signed_by"], shown["signatures_missing"]) == (1, ["anna", "ben"], 0)
    done("init", tmp_path / "site", "--site", "acme", "--trust", store / "trust" / "root.json")
