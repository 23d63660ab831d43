"""Commands of the documents that need a cluster's API, as written: within, beside and far from the store."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.kubernetes.apply_parts import Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.product.road_parts import airstore
from tests.support.tools.document_commands import WAYS, Command, Desk, commands

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm4: Path, namespace: str) -> Landscape:
    """A site that holds 1.0.0 and 1.1.0 and has applied nothing."""
    made = landscape(api, tmp_path, helm4, namespace)
    for version in ("1.0.0", "1.1.0"):
        made.release(version, dict.fromkeys(("db", "web"), version))
    return made


@pytest.fixture(params=WAYS)
def desk(request: pytest.FixtureRequest, shop: Landscape, tmp_path: Path) -> Desk:
    """That site's store; KUBECONFIG and the name of Helm are as relative as the rest."""
    desk = Desk(tmp_path / "desk", request.param)
    desk.directory.mkdir()
    shop.site.path.rename(desk.store)
    shutil.copy(shop.api.kubeconfig, desk / "admin.kubeconfig")
    beside = {"relative": "admin.kubeconfig", "inside": "../admin.kubeconfig"}
    helm = os.path.relpath(shop.site.airstore.helm, desk.where)
    desk.environment = {"KUBECONFIG": beside[desk.way], "AIRSTORE_HELM": helm}
    return desk


def _api_commands(document: str) -> list[Command]:
    found = [command for command in commands(document) if command.tier == "api"]
    assert len(found) > 2
    return found


@pytest.mark.parametrize("document", ["README.md", "docs/apply.md"])
def test_commands_run_as_written(document: str, desk: Desk, shop: Landscape) -> None:
    for command in _api_commands(document):
        if command.words[-1] == "apply":  # before it, something to go back to
            desk.run(command, "--release", "1.0.0")
        desk.run(command)
        if command.name == "rollback":
            assert (shop.config("web"), shop.table()) == ("1.0.0", "rows of 1.0.0")
    recorded = airstore("-C", desk.store, "history", "-o", "json").json()
    done = [(row["action"], row["release"], row["result"]) for row in reversed(recorded)]
    expected = [("apply", "1.0.0"), ("apply", "1.1.0"), ("rollback", "1.0.0"), ("uninstall", "1.0.0")]
    assert done == [(*each, "succeeded") for each in expected[: len(done)]]
    assert len(done) >= 3


@pytest.mark.parametrize("way", WAYS)
def test_the_publishers_comparison_runs_as_written(way: str, shop: Landscape, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "publishing", way)
    desk.directory.mkdir()
    shop.publisher.path.rename(desk.store)
    shutil.copy(shop.api.kubeconfig, desk / "admin.kubeconfig")
    desk.names = {"FILE": os.path.relpath(desk / "admin.kubeconfig", desk.where)}
    (compare,) = [each for each in commands("docs/guide-publisher.md") if each.tier == "api"]
    desk.run(compare)


def test_a_store_that_was_moved_goes_on(desk: Desk, shop: Landscape) -> None:
    """Nothing that it keeps says where it was: values and backups are found at the new place."""
    apply, rollback = (Command("", 0, f"airstore -C STORE {word}") for word in ("apply", "rollback"))
    desk.run(apply, "--release", "1.0.0")
    desk.run(apply)
    assert shop.table() == "rows of 1.1.0"
    desk.directory.rename(desk.directory.with_name("elsewhere"))
    elsewhere = replace(desk, directory=desk.directory.with_name("elsewhere"))
    elsewhere.run(rollback)
    assert (shop.config("web"), shop.table()) == ("1.0.0", "rows of 1.0.0")
