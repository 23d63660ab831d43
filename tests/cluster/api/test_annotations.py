"""Annotations of older versions are read, and written again under the key of today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airstore.cluster.api.labels import PRODUCTS, REMEMBERED, annotation, changed
from airstore.cluster.registry.owners import owner_of
from airstore.cluster.registry.pull_secrets import PullLogin, pull_secret

OLDER: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "annotations" / "older.json").read_text()
)
HOST = "registry.acme.example"


def test_whose_an_object_is_and_what_was_stopped() -> None:
    assert owner_of(OLDER["Namespace"]) == "shop"
    assert annotation(OLDER["Deployment"], REMEMBERED) == "3"
    assert annotation({"metadata": {"annotations": {"other.example/remembered": "3"}}}, REMEMBERED) is None


def test_a_pull_secret_keeps_the_products_that_an_older_version_noted() -> None:
    login = PullLogin(HOST, "pull", "fixture", product="third")
    made = pull_secret(login, "shop", OLDER["Secret"])
    assert json.loads(made["metadata"]["annotations"][PRODUCTS]) == {HOST: ["bank", "shop", "third"]}
    assert list(made["metadata"]["annotations"]) == [PRODUCTS]


def test_a_patch_drops_the_older_key() -> None:
    assert changed(REMEMBERED, "3") == {REMEMBERED: "3", "airstore.example/remembered": None}
    assert changed(REMEMBERED, None) == {REMEMBERED: None, "airstore.example/remembered": None}
