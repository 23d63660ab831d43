"""A registry from before behind a real nginx that limits the size of requests."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.support.kubernetes.cluster_site import API, make_site, write_site_file
from tests.support.product.e2e_road import Airstore, Store, run
from tests.support.registry.servers import RegistryServer, free_port
from tests.support.tools.nginx_proxy import nginx

pytestmark = pytest.mark.root
_SIZE = 6  # MB of an application's layer


@pytest.fixture
def store(helm4: Path, docker_registry: Path, tmp_path: Path) -> Store:
    (tmp_path / "home").mkdir()
    registry = "registry.example.com/shop/registry:2"
    return make_site(
        Airstore(tmp_path / "home", helm4), tmp_path, docker_registry, registry, "registry", _SIZE
    )


@pytest.fixture
def host(store: Store) -> str:
    """Where nginx will listen: the site's registry."""
    name = f"127.0.0.1:{free_port()}"
    write_site_file(store, mode="external", host=name)
    return name


def push(store: Store, host: str, code: int = 0) -> str:
    result = store("registry", "push", "--plain-http", host, code=code)
    return result.out + result.err


def pushes(store: Store) -> list[str]:
    """Results of the pushes in the ledger."""
    runs = store("history", "-o", "json").json
    return [entry["result"] for entry in runs if entry["action"] == "push"]


def repositories(registry: RegistryServer) -> list[str]:
    """Those that have a manifest."""
    with urllib.request.urlopen(f"http://{registry.host}/v2/_catalog") as answer:
        return [str(name) for name in json.load(answer)["repositories"]]


def test_small_pieces_fit_and_a_smaller_limit_is_explained(
    store: Store, host: str, own_registry: RegistryServer, tmp_path: Path
) -> None:
    port = int(host.rpartition(":")[2])
    with nginx(tmp_path / "small", port, own_registry.host, "256k") as log:
        said = push(store, host, code=40)
        assert "answered 413 Request Entity Too Large" in said
        assert f"{host}/shop/" in said
        assert "hint: a proxy before the registry limits uploads: raise nginx's client_max_body_size" in said
        assert "PATCH 413" in log.read_text()
    assert repositories(own_registry) == []
    assert pushes(store) == []

    # nginx's default: what is larger goes in pieces.
    with nginx(tmp_path / "default", port, own_registry.host, "1m") as log:
        push(store, host)
        lines = [line.split() for line in log.read_text().splitlines()]
        assert ["PUT", "413"] in [words[:2] for words in lines]
        taken = [int(words[2]) for words in lines if words[:2] == ["PATCH", "202"]]
        assert max(taken) == 1 << 20
    assert pushes(store) == ["succeeded"]
    check_whole(store, own_registry, tmp_path)


def test_the_same_command_once_the_limit_is_raised(
    store: Store, host: str, own_registry: RegistryServer, tmp_path: Path
) -> None:
    port = int(host.rpartition(":")[2])
    with nginx(tmp_path / "small", port, own_registry.host, "256k"):
        assert "413" in push(store, host, code=40)
    with nginx(tmp_path / "none", port, own_registry.host, "0") as log:
        push(store, host)
        assert "PUT 413" not in log.read_text()
    check_whole(store, own_registry, tmp_path)


def check_whole(store: Store, registry: RegistryServer, directory: Path) -> None:
    """skopeo compares every blob with its digest."""
    source = f"docker://{registry.host}/shop/api:1.0.0"
    run("skopeo", "copy", "-q", "--src-tls-verify=false", source, f"dir:{directory / 'copy'}")
    found = run("skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", source)
    assert found.strip() == store.images("1.0.0")[API]
