"""`airstore registry gc` against Debian's docker-registry: what is kept stays whole, the rest goes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airstore.core.errors import IncompleteError
from airstore.core.image.digest import Digest
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ExternalRegistry
from airstore.ops.apply.push import RegistryPush
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import open_directory
from tests.support.product.collected import VERSIONS, World, applied, gc
from tests.support.product.road_parts import airstore, done, refused, unchanged
from tests.support.product.tiny_product import IMAGE
from tests.support.registry.servers import RegistryServer, registry_server

pytestmark = pytest.mark.slow


@pytest.fixture
def world(gc_world: World) -> World:
    return gc_world


@pytest.fixture
def server(docker_registry: Path, world: World, tmp_path: Path) -> Iterator[RegistryServer]:
    """It has every release."""
    with registry_server(tmp_path / "registry") as running:
        for version in VERSIONS:
            done("-C", world.site, "registry", "push", url(running), "--release", version)
        yield running


def url(server: RegistryServer) -> str:
    return f"http://{server.host}/shop"


def clean(store: Path, server: RegistryServer, keep: int, *more: str) -> dict[str, Any]:
    words = ("registry", "gc", url(server), "--keep", str(keep), *more)
    found: dict[str, Any] = done("-C", store, *words, "-o", "json").json()
    return found


def digest_of(store: Path, version: str) -> str:
    """Of the image's manifest."""
    artifacts = done("-C", store, "release", "show", version, "-o", "json").json()["artifacts"]
    return next(str(each["digest"]) for each in artifacts if each["kind"] == "image")


def held(server: RegistryServer) -> set[str]:
    """Manifests that the registry has of the image."""
    repository = server.root / "docker/registry/v2/repositories/shop/tiny/app/_manifests/revisions/sha256"
    return {f"sha256:{path.name}" for path in repository.iterdir() if (path / "link").exists()}


def pull(server: RegistryServer, skopeo: Path, out: Path) -> str:
    """Everything of the image under its tag; the manifest's digest."""
    place = f"docker://{server.host}/shop/{IMAGE.partition('/')[2]}"
    command = [skopeo, "copy", "-q", "--src-tls-verify=false", "--preserve-digests", place, f"oci:{out}:x"]
    subprocess.run(list(map(str, command)), check=True)
    (found,) = json.loads((out / "index.json").read_text())["manifests"]
    return str(found["digest"])


def test_what_is_not_kept_goes_and_what_is_stays(
    world: World, server: RegistryServer, skopeo: Path, docker_registry: Path, tmp_path: Path
) -> None:
    digests = {version: digest_of(world.site, version) for version in VERSIONS}
    applied(world.site, "1.1.0")
    assert held(server) == set(digests.values())
    plan = clean(world.site, server, 1, "--dry-run")
    assert held(server) == set(digests.values())
    assert [each["version"] for each in plan["kept"]] == ["1.1.0", "1.3.0"]
    assert plan["manifests"] == [f"tiny/app@{digests[version]}" for version in ("1.0.0", "1.2.0")]
    with unchanged(world.site):
        ran = clean(world.site, server, 1, "--yes")
    assert ran == {**plan, "dry_run": False, "deleted": 2}
    assert held(server) == {digests["1.1.0"], digests["1.3.0"]}
    assert clean(world.site, server, 1)["manifests"] == []
    layer = server.blob_file(Digest(digests["1.0.0"]))
    assert layer.exists(), "its own garbage collection frees the space"
    collect_in(docker_registry, server)
    assert not layer.exists()
    assert pull(server, skopeo, tmp_path / "out") == digests["1.3.0"]


def test_a_tag_of_a_manifest_that_stays_goes_alone(world: World, server: RegistryServer) -> None:
    """The chart is the same in all releases; what only its tag says has nothing to do with that."""
    applied(world.site, "1.3.0")
    gc(world.site, 1)  # the store lacks the old ones; the registry is asked all the same
    ran = clean(world.site, server, 1, "--yes")
    assert len(ran["manifests"]) == 3
    assert ran["tags"] == []
    assert held(server) == {digest_of(world.site, "1.3.0")}


def test_it_asks_first(world: World, server: RegistryServer) -> None:
    words = ("-C", world.site, "registry", "gc", url(server), "--keep", "1")
    before = held(server)
    refused(airstore(*words), 2, "3 manifests and 0 tags are deleted", "1.0.0, 1.1.0, 1.2.0", "--yes")
    assert held(server) == before


def test_a_registry_that_deletes_nothing_is_named(
    docker_registry: Path, world: World, tmp_path: Path
) -> None:
    with registry_server(tmp_path / "registry", delete=False) as server:
        for version in ("1.0.0", "1.3.0"):
            done("-C", world.site, "registry", "push", url(server), "--release", version)
        words = ("-C", world.site, "registry", "gc", url(server), "--keep", "1", "--yes")
        outcome = airstore(*words)
        assert outcome.code == 40, outcome
        assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in outcome.err


def test_a_release_comes_back_after_it(
    world: World, server: RegistryServer, docker_registry: Path, tmp_path: Path
) -> None:
    clean(world.site, server, 1, "--yes")
    done("-C", world.site, "registry", "push", url(server), "--release", "1.0.0")
    assert digest_of(world.site, "1.0.0") in held(server)


def test_a_rollback_needs_the_store_or_the_registry(world: World, server: RegistryServer) -> None:
    """What was dropped from the store does no harm as long as the site's registry has the images."""
    gc(world.site, 1)
    store, said = open_directory(world.site), list[str]()
    file = SiteFile(ExternalRegistry(host=server.host, prefix="shop"))
    release = store.history.release("1.2.0")
    with store.open_blobs() as blobs:
        surroundings = SimpleNamespace(
            store=store, blobs=blobs, file=file, say=said.append, invocation=SimpleNamespace(kubeconfig=None)
        )
        access = RegistryOptions(plain_http=frozenset({server.host}))
        push = RegistryPush(surroundings, access)  # type: ignore[arg-type]
        done("-C", world.site, "repair", "--release", "1.2.0", "--from", world.media("1.2.0"))
        done("-C", world.site, "registry", "push", url(server), "--release", "1.2.0")
        gc(world.site, 1)
        push.push(release, always=False)
        assert said == ["the store no longer has everything of 1.2.0; it is not pushed"]
        done("-C", world.site, "registry", "push", url(server), "--release", "1.3.0")
        with pytest.raises(IncompleteError) as raised:
            push.push(release, always=False)
    assert "the content of release 1.2.0 was dropped" in str(raised.value)
    assert "airstore repair --release 1.2.0 --from PLACE" in raised.value.hint


def collect_in(docker_registry: Path, server: RegistryServer) -> None:
    config = next(server.root.parent.glob("*.y*ml"))
    subprocess.run([docker_registry, "garbage-collect", config], check=True, capture_output=True)
