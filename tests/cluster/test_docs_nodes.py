"""Commands of the documents that take nodes which run pods, as written, on the real cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.kubernetes.applier_world import ApplierWorld, applier_world, give_volume
from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.kubernetes.cluster_world import World
from tests.support.product.e2e_road import Airstore, Store
from tests.support.product.road_parts import process
from tests.support.tools.document_commands import ROOT, Command, Desk, commands

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.timeout(1200)]


def _of_nodes(document: str) -> list[Command]:
    return [command for command in commands(document) if command.tier == "nodes"]


def test_a_registry_in_the_cluster(world: World, tmp_path: Path) -> None:
    """From inside the store; the node gets its files where the document says so."""
    desk = Desk(tmp_path / "desk", "inside")
    desk.directory.mkdir()
    world.store.path.rename(desk.store)
    moved = replace(world, store=Store(world.store.airstore, desk.store))
    on_the_node = f"--containerd-socket {world.cluster.socket}"
    # "or on the node itself, without --ssh": that is where this runs
    desk.names = {"--ssh root@node3 --node node3": "", "bootstrap": f"bootstrap {on_the_node}"}
    kubeconfig = os.path.relpath(world.cluster.kubeconfig, desk.store)
    desk.environment = {**world.store.airstore.environment, "KUBECONFIG": kubeconfig}
    written = [each for each in _of_nodes("docs/registry-in-cluster.md") if not _of_another_product(each)]
    assert [command.name for command in written] == [
        *("registry mirror-config", "registry bootstrap", "registry bootstrap", "registry push")
    ]
    for command in written:
        desk.run(command)
        if command.name == "registry mirror-config":
            world.cluster.configure(desk / "node")
    assert moved.missing("registry.example.com/shop/api:1.0.0") == set()
    (readme,) = _of_nodes("README.md")
    desk.run(readme)  # again; nothing is to do


def _of_another_product(command: Command) -> bool:
    """`test_two_products` runs these: they take a second product."""
    return "--share" in command.text or command.name == "registry export-access"


@pytest.fixture
def applier(cluster: RealCluster, helm4: Path, tmp_path: Path) -> Iterator[ApplierWorld]:
    (tmp_path / "home").mkdir()
    with applier_world(cluster, Airstore(tmp_path / "home", helm4), tmp_path) as made:
        give_volume(cluster, made.documents())
        yield made


def test_an_applier_and_its_store_back(applier: ApplierWorld, tmp_path: Path) -> None:
    """From beside the store, which is a link here: the site serves it from where it is."""
    desk = Desk(tmp_path / "desk", "relative")
    desk.directory.mkdir()
    desk.store.symlink_to(applier.site.path)
    (desk / "MEDIA").symlink_to(applier.make("1.1.0"))
    desk.environment = {**applier.site.airstore.environment, "KUBECONFIG": str(applier.cluster.kubeconfig)}
    reach = ("--plain-http", applier.registry)
    said = []
    for command in _of_nodes("docs/applier.md"):
        if "&&" in command.text or "|" in command.text:
            continue
        if command.name == "registry push":
            assert command.text.endswith("...")  # "unless the store is served", which it is
            continue
        more = reach if command.words[-1] == "apply" else ()
        if "RUN" in command.words:
            desk.names["RUN"] = applier.applier("logs", "-o", "json").json[-1]["run"]
        said.append(_in_a_process(desk, command, *more))
    assert applier.version() == "1.1.0"
    assert any("running: 1.0.0" in text for text in said)
    for line in _shell_lines():
        _shell(desk, applier, line)
    assert "1.1.0" in applier.cluster.kubectl(
        "get", "configmap", "web-config", "-n", applier.namespace, "-oyaml"
    )
    assert applier.cluster.json("-n", applier.own, "get", "deployments")["items"] == []


def _in_a_process(desk: Desk, command: Command, *more: str) -> str:
    """What it says; it passes on bytes of a Job's log."""
    words = [*desk.words(command), *more]
    with process(*words, cwd=desk.where, env=desk.environment) as running:
        out, err = running.communicate(timeout=600)
    assert running.returncode == 0, (str(command), out, err)
    return out


def _shell_lines() -> list[str]:
    """Lines with other programs, in their order: manifests by kubectl, then taking it away."""
    text = (ROOT / "docs/applier.md").read_text().splitlines()
    found = [line for line in text if line.startswith(("kubectl ", "tar ")) or "| kubectl" in line]
    assert len(found) == 5
    return found


def _shell(desk: Desk, applier: ApplierWorld, line: str) -> None:
    names = {
        "-n airstore ": f"-n {applier.own} ",
        "applier-PRODUCT": applier.name,
        "PRODUCT": applier.namespace,
        "apply ...": f"apply --plain-http {applier.registry}",
    }
    for name, meant in names.items():
        line = line.replace(name, meant)
    environment = {**os.environ, **desk.environment}
    done = subprocess.run(
        ["bash", "-ec", line],
        cwd=desk.directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
