"""The applier before there is a cluster: its manifests, the store's way into a volume, and who may apply."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airstore.core.durable import exclusive_lock
from airstore.core.errors import (
    AirstoreError,
    DamagedError,
    IncompleteError,
    LockedError,
    SequenceError,
    UsageError,
)
from airstore.core.parsing import yamlfile
from airstore.core.progress import QUIET
from airstore.core.streams.framing import framed
from airstore.core.streams.treestream import files_of, tar_chunks
from airstore.history import ledger
from airstore.ops.applier.install import travels
from airstore.ops.applier.receive import descends, has_arrived, ledger_tip, receive_media, receive_store
from airstore.ops.apply.session import handover
from airstore.ops.apply.session.handover import Moved, mark, unmark
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.noted import read_noted
from airstore.ops.stores.site import anchors
from tests.support.product.road_parts import airstore, done, flipped, refused, rewrite, snapshot, sound
from tests.support.product.tiny_product import IMAGE, Tiny, make_tiny

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WIDE = """apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: wide}
rules: [{apiGroups: [""], resources: ["*"], verbs: [get]}]
"""


@pytest.fixture
def tiny(helm4: Path, tmp_path: Path) -> Tiny:
    made = make_tiny(tmp_path)
    made.edit("images:", f"applier: {{image: {IMAGE}, namespace: deploy, storage: 3Gi}}\nimages:")
    return made


def make_site(tiny: Tiny) -> Path:
    """A site that holds 1.0.0; next to it a volume without a store."""
    assert tiny.create().code == 0
    path = tiny.base / "site"
    done("init", path, "--site", "acme", "--trust", tiny.store / "trust" / "root.json")
    done("-C", tiny.store, "media", "create", "--to", "1.0.0", tiny.base / "media")
    done("-C", path, "media", "import", tiny.base / "media")
    (tiny.base / "volume").mkdir()
    return path


@pytest.fixture
def site(tiny: Tiny) -> Path:
    return make_site(tiny)


def documents(site: Path, *words: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(
        done("-C", site, "applier", "manifests", "-o", "json", *words).out
    )["items"]
    return items


def find(site: Path, kind: str, namespace: str = "deploy") -> dict[str, Any]:
    (found,) = (
        each
        for each in documents(site)
        if each["kind"] == kind and each["metadata"].get("namespace", namespace) == namespace
    )
    return found


def test_the_manifests_are_the_same_in_yaml_and_json(site: Path) -> None:
    printed = yamlfile.load_manifests(done("-C", site, "applier", "manifests").out, "manifests")
    assert list(printed) == documents(site)


def test_the_image_is_pulled_from_the_sites_registry_and_pinned(site: Path) -> None:
    pod = find(site, "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == IMAGE
    (site / "site.yaml").write_text(
        "apiVersion: airstore/v1\nkind: Site\nregistry: {host: reg.example.com, mode: external, prefix: p}\n"
    )
    pod = find(site, "Deployment")["spec"]["template"]["spec"]
    digest = open_directory(site).history.release("1.0.0").images[0].root.digest
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["image"] == f"reg.example.com/p/tiny/app:1@{digest}"


def test_its_pods_may_do_little_on_their_node(site: Path) -> None:
    pod = find(site, "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"] == 65532
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert pod["containers"][0]["command"] == ["airstore", "-C", "/data/store", "status", "--watch"]


def test_volume_and_namespaces_are_the_products_and_the_classes_the_sites(site: Path) -> None:
    claim = find(site, "PersistentVolumeClaim")
    assert claim["spec"]["resources"] == {"requests": {"storage": "3Gi"}}
    assert "storageClassName" not in claim["spec"]
    given = documents(site, "--storage-class", "fast")
    (claim,) = (each for each in given if each["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["storageClassName"] == "fast"
    namespaces = [each["metadata"]["name"] for each in given if each["kind"] == "Namespace"]
    assert namespaces == ["deploy", "airstore", "apps"]


def test_of_an_anchor_in_the_cluster_it_may_read_and_move_on_that_config_map_alone(site: Path) -> None:
    def rules() -> list[tuple[str, Any, Any]]:
        return [
            (each["metadata"]["namespace"], rule.get("resourceNames"), rule["verbs"])
            for each in documents(site)
            if each["kind"] == "Role"
            for rule in each["rules"]
            if "configmaps" in rule["resources"]
        ]

    before = rules()
    config = site / "airstore.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"anchor": "configmap:vault/mark-acme"}))
    assert [rule for rule in rules() if rule not in before] == [("vault", ["mark-acme"], ["get", "patch"])]


def test_every_role_is_bound_to_its_account_and_no_other(site: Path) -> None:
    made = documents(site)
    roles = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in made}
    bindings = [each for each in made if each["kind"].endswith("Binding")]
    assert len(bindings) == len([role for role in roles if role[0] in {"Role", "ClusterRole"}]) == 3
    for each in bindings:
        reference, where = each["roleRef"], each["metadata"].get("namespace")
        assert (reference["kind"], where, reference["name"]) in roles
        assert each["subjects"] == [{"kind": "ServiceAccount", "name": "applier-tiny", "namespace": "deploy"}]


def test_a_product_without_an_applier_says_how_to_get_one(tmp_path: Path, helm4: Path) -> None:
    refused(
        airstore("-C", make_site(make_tiny(tmp_path)), "applier", "manifests"),
        2,
        "brings no applier",
        "applier.image",
    )


def test_a_chart_whose_role_is_too_much_is_refused_by_name(tiny: Tiny) -> None:
    (tiny.base / "app" / "templates" / "wide.yaml").write_text(WIDE)
    refused(airstore("-C", make_site(tiny), "applier", "manifests"), 2, "ClusterRole wide", "'*'")


def stream(directory: Path, *, all_of_it: bool = False) -> bytes:
    files = files_of(directory, lambda path: all_of_it or travels(path))
    return b"".join(framed(tar_chunks(directory, files, lambda _count: None)))


def receive(data: bytes, path: Path) -> None:
    receive_store(io.BytesIO(data), path, QUIET)


def test_a_store_arrives_whole_and_goes_on_there(site: Path, tiny: Tiny) -> None:
    arrived = tiny.base / "volume" / "store"
    mark(open_directory(site), Moved("https://cluster", "deploy", "applier"), 0, arrived=True)
    receive(stream(site), arrived)
    left_out = {"applier.json", "index.sqlite", "noted.json"}
    kept = {name: digest for name, digest in snapshot(site).items() if name not in left_out}
    there = snapshot(arrived)
    assert "applier.json" not in there
    assert {name: digest for name, digest in there.items() if name not in left_out} == kept
    assert "applier.json" not in read_noted(open_directory(arrived))  # nobody misses it there
    sound(arrived, "1.0.0")
    assert tiny.create("1.1.0").code == 0
    done("-C", tiny.store, "media", "create", "--to", "1.1.0", "--from", "1.0.0", tiny.base / "delta")
    done("-C", arrived, "media", "import", tiny.base / "delta")
    sound(arrived, "1.0.0", "1.1.0")


def test_a_store_is_never_received_over_another(site: Path, tiny: Tiny) -> None:
    arrived = tiny.base / "volume" / "store"
    receive(stream(site), arrived)
    before = snapshot(arrived)
    with pytest.raises(UsageError, match="there already"):
        receive(stream(site), arrived)
    assert snapshot(arrived) == before


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != "receiving.lock")


def broken_streams(site: Path) -> Iterator[tuple[bytes, type[AirstoreError]]]:
    whole = stream(site)
    yield whole[: len(whole) // 2], IncompleteError
    yield flipped(whole, len(whole) // 2), DamagedError
    pack = max((site / "packs").iterdir(), key=lambda path: path.stat().st_size)
    rewrite(pack, lambda data: flipped(data, len(data) // 2))
    yield stream(site), DamagedError


def test_of_a_store_that_does_not_arrive_whole_nothing_is_left(site: Path, tiny: Tiny) -> None:
    arrived = tiny.base / "volume" / "store"
    for data, error in broken_streams(site):
        with pytest.raises(error):
            receive(data, arrived)
        assert names(arrived.parent) == []


def test_the_pod_waits_until_a_store_is_whole_and_its_bringer_done(site: Path, tiny: Tiny) -> None:
    arrived = tiny.base / "volume" / "store"
    assert not has_arrived(arrived)
    seen: list[bool] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen.append(has_arrived(arrived))
            return super().read(size)

    receive_store(Watched(stream(site)), arrived, QUIET)
    assert has_arrived(arrived)
    assert set(seen) == {False}
    with exclusive_lock(arrived.parent / "receiving.lock"):
        assert not has_arrived(arrived)
        with pytest.raises(LockedError):
            receive(stream(site), tiny.base / "volume" / "other")


def test_what_an_interrupted_arrival_left_is_no_hindrance(site: Path, tiny: Tiny) -> None:
    left = tiny.base / "volume" / ".incoming-store"
    left.mkdir()
    (left / "airstore.json").write_text("half")
    receive(stream(site), left.parent / "store")
    assert names(left.parent) == ["store"]


def test_media_are_taken_in_and_their_copy_goes(site: Path, tiny: Tiny) -> None:
    arrived = tiny.base / "volume" / "store"
    receive(stream(site), arrived)
    store = open_directory(arrived)
    assert tiny.create("1.1.0").code == 0
    done("-C", tiny.store, "media", "create", "--to", "1.1.0", "--from", "1.0.0", tiny.base / "delta")
    data = stream(tiny.base / "delta", all_of_it=True)
    assert receive_media(io.BytesIO(data), store, NOW, QUIET).chain == ("1.1.0",)
    for media, error in (
        (data[:-1], IncompleteError),
        (stream(tiny.base / "media", all_of_it=True), SequenceError),
    ):
        with pytest.raises(error):
            receive_media(io.BytesIO(media), store, NOW, QUIET)
        assert names(arrived.parent) == ["store"]


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "--dry-run"), ("apply",), ("rollback",), ("uninstall",), ("status",), ("status", "--watch"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_store_that_has_gone_says_where_and_what_to_run(words: tuple[str, ...], site: Path) -> None:
    store = open_directory(site)
    mark(store, Moved("https://10.0.0.1:6443", "deploy", "applier-tiny"), 0, arrived=False)
    assert not handover.has_arrived(store)
    outcome = airstore("-C", site, *words)
    refused(outcome, 2, "deploy/applier-tiny", "https://10.0.0.1:6443", f"applier run -- {words[0]}")
    unmark(store)
    assert "applier" not in airstore("-C", site, *words, env={"KUBECONFIG": "/nowhere"}).err


def test_a_ledger_descends_from_what_was_done_before(site: Path, tmp_path: Path) -> None:
    store = open_directory(site)
    assert descends(store, ledger_tip(store) or "")
    other = open_directory(shutil.copytree(site, tmp_path / "other"))
    entry = ledger.Entry("apply", "1.0.0", "succeeded", 1)
    anchors.record(store, entry)
    assert not descends(other, ledger_tip(store))
    assert descends(store, ledger_tip(other))
    assert descends(store, ledger_tip(store))
