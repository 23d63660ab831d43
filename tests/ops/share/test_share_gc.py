"""`airstore gc` where several share a store, and what their registry keeps."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from airstore.core.image.digest import Digest
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases.collected import write_list
from tests.support.product.collected import states
from tests.support.product.road_parts import airstore, done, refused, sound, unchanged
from tests.support.product.sharing import Shared, git, release, share, versions
from tests.support.product.sharing_fixtures import noise, pushed
from tests.support.product.tiny_product import Tiny
from tests.support.registry.servers import RegistryServer, registry_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def three_made(tiny_made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Releases whose images have nothing in common."""
    tiny = Tiny(shutil.copytree(tiny_made.base, tmp_path_factory.mktemp("three") / "tiny"))
    for number, version in enumerate(("1.0.0", "1.1.0", "1.2.0")):
        assert release(tiny.store, version, noise(number)).code == 0
    return tiny


@pytest.fixture
def three(own_registry: RegistryServer, three_made: Tiny, tmp_path: Path) -> Shared:
    """All of them pushed."""
    return pushed(three_made, tmp_path, own_registry.host, "store")


def drop(store: Path) -> None:
    done("-C", store, "gc", "--keep", "1")


def bytes_of(registry: RegistryServer) -> int:
    blobs = (registry.root / "docker/registry/v2/blobs").rglob("data")
    return sum(path.stat().st_size for path in blobs)


def test_a_clone_of_a_collected_store_knows_what_was_dropped(three: Shared) -> None:
    drop(three.store)
    done("-C", three.store, "push")
    for clone in (three.clone("runner"), three.clone("whole", "--whole")):
        assert states(clone) == {"1.0.0": "collected", "1.1.0": "collected", "1.2.0": "all"}
        sound(clone, "1.0.0", "1.1.0", "1.2.0")
        assert release(clone, "1.3.0", "more").code == 0
    done("-C", clone, "push")
    done("-C", three.store, "pull")
    sound(three.store, "1.0.0", "1.1.0", "1.2.0", "1.3.0")


def test_a_clone_from_before_lets_go_of_it_when_it_pulls(three: Shared) -> None:
    clone = three.clone("runner")
    drop(three.store)
    done("-C", three.store, "push")
    assert release(clone, "1.3.0", "more").code == 0
    with unchanged(clone):
        refused(airstore("-C", clone, "push"), 31, "1.0.0, 1.1.0 was dropped from", "airstore pull")
    assert done("-C", clone, "pull", "-o", "json").json()["dropped"] == ["1.0.0", "1.1.0"]
    assert states(clone)["1.0.0"] == "collected"
    done("-C", clone, "push")
    done("-C", three.store, "pull")
    assert states(three.store) == {
        "1.0.0": "collected",
        "1.1.0": "collected",
        "1.2.0": "all",
        "1.3.0": "all",
    }


def test_of_two_whole_stores_the_other_drops_it_as_well_or_brings_it_back(three: Shared) -> None:
    other = three.clone("other", "--whole")
    assert release(other, "1.3.0", noise(4)).code == 0  # while the first one collects
    drop(three.store)
    done("-C", three.store, "push")
    assert done("-C", other, "pull", "-o", "json").json()["dropped"] == []
    assert states(other)["1.0.0"] == "all"
    with unchanged(other):
        refused(airstore("-C", other, "push"), 31, "was dropped from", "--bring-back")
    done("-C", other, "pull", "--whole")
    done("-C", other, "gc", "--keep", "2")
    done("-C", other, "push")
    done("-C", three.store, "pull")
    assert [states(three.store)[version] for version in ("1.1.0", "1.3.0")] == ["collected", "all"]


def test_what_is_brought_back_is_back_for_all(three: Shared) -> None:
    other = three.clone("other", "--whole")
    drop(three.store)
    done("-C", three.store, "push")
    done("-C", other, "push", "--bring-back")
    assert states(three.clone("late"))["1.0.0"] == "all"
    done("-C", three.store, "pull")
    assert states(three.store)["1.0.0"] == "all"
    sound(three.store, "1.0.0", "1.1.0", "1.2.0")


def test_a_store_that_is_only_in_part_here_is_not_collected(three: Shared) -> None:
    clone = three.clone("runner")
    with unchanged(clone):
        refused(airstore("-C", clone, "gc", "--keep", "1"), 2, "only in part here", "pull --whole")
    done("-C", clone, "pull", "--whole")
    drop(clone)
    assert states(clone)["1.0.0"] == "collected"
    sound(clone, "1.0.0", "1.1.0", "1.2.0")


def test_the_registry_lets_go_of_what_was_dropped(
    three: Shared, own_registry: RegistryServer, docker_registry: Path
) -> None:
    done("-C", three.store, "push")
    assert release(three.store, "1.3.0", noise(5)).code == 0
    refused(airstore("-C", three.store, "remote", "prune"), 31, "different newest releases")
    drop(three.store)
    done("-C", three.store, "push")
    before = bytes_of(own_registry)
    planned = done("-C", three.store, "remote", "prune", "--dry-run", "-o", "json").json()
    assert (planned["releases"], planned["deleted"]) == (["1.2.0"], 0)
    pruned = done("-C", three.store, "remote", "prune", "-o", "json")
    assert pruned.json()["deleted"] == 1
    assert "garbage-collect" in pruned.err
    assert done("-C", three.store, "remote", "prune", "-o", "json").json()["deleted"] == 0
    config = own_registry.root.parent / "config.yml"
    subprocess.run([docker_registry, "garbage-collect", config], check=True, capture_output=True)
    assert bytes_of(own_registry) < before // 2
    clone = three.clone("late", "--whole")
    assert versions(clone) == ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
    sound(clone, "1.0.0", "1.1.0", "1.2.0", "1.3.0")


def test_the_list_of_the_newest_release_stays_where_it_is_also_that_of_an_older_one(
    three: Shared, own_registry: RegistryServer
) -> None:
    """The lists are the same, so they are one manifest under two tags."""
    (three.store.parent / "app" / "values.yaml").write_text("replicas: 2\n")
    old = git("-C", three.store / "history.git", "rev-parse", "main").strip()
    assert release(three.store, "1.3.0").code == 0
    done("-C", three.store, "push")
    new = git("-C", three.store / "history.git", "rev-parse", "main").strip()
    tags = own_registry.root / "docker/registry/v2/repositories/store/_manifests/tags"
    (tags / old / "current/link").write_text((tags / new / "current/link").read_text())
    assert done("-C", three.store, "remote", "prune", "-o", "json").json()["deleted"] == 0
    three.clone("late")


def test_a_registry_that_deletes_nothing_is_named(tiny: Tiny, docker_registry: Path, tmp_path: Path) -> None:
    with registry_server(tmp_path / "registry", delete=False) as server:
        shared = share(tiny, tmp_path, server.host, "store")
        for version in ("1.0.0", "1.1.0"):
            assert release(tiny.store, version, version).code == 0
            done("-C", tiny.store, "push")
        outcome = airstore("-C", shared.store, "remote", "prune")
        refused(outcome, 40, "REGISTRY_STORAGE_DELETE_ENABLED=true")


def test_a_list_that_names_what_is_here_drops_nothing(three: Shared) -> None:
    """Whoever can write to the registry can say that everything was dropped."""
    liar = three.clone("liar", "--whole")
    history = open_directory(liar).history
    lie = {Digest.of(history.read(ref.commit, "release.json")): ref.version for ref in history.releases()}
    assert release(liar, "1.3.0", "more").code == 0
    (liar / "collected.json").write_bytes(write_list(lie))
    done("-C", liar, "push", "--bring-back")
    assert done("-C", three.store, "pull", "-o", "json").json()["dropped"] == []
    assert set(states(three.store).values()) == {"all"}
    done("-C", three.store, "gc", "--keep", "9")
    sound(three.store, "1.0.0", "1.1.0", "1.2.0", "1.3.0")
    refused(airstore("-C", three.store, "push"), 31, "1.0.0, 1.1.0, 1.2.0 was dropped from", "--bring-back")
    done("-C", three.store, "push", "--bring-back")
    sound(three.clone("late", "--whole"), "1.0.0", "1.1.0", "1.2.0", "1.3.0")
