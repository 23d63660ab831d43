"""Charts from directories, archives, registries and chart repositories, as their vendors publish them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airstore.core.image.oci import HELM_PROVENANCE
from tests.support.product.e2e_charts import PROVENANCE, package, push, repository, spy, write_chart
from tests.support.product.e2e_road import Airstore, Store, digests_of, publisher, run, run_bytes
from tests.support.product.e2e_upstream import HOST, Upstream, write_config
from tests.support.registry.servers import PASSWORD, USER
from tests.support.registry.tls import Authority

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.product.e2e_fixtures"]

_DB = f"{HOST}/shop/db:15.2.0"


def _product(source: str, layout: Path, name: str = "app", version: str = "1.0.0") -> dict[str, object]:
    return {
        "charts": [{"name": name, "source": source, "version": version}],
        "releases": [{"name": "app", "namespace": "shop", "chart": name}],
        "images": {"sources": {"*": f"oci:{layout}"}},
    }


def _create(store: Store, *options: str | Path, code: int = 0) -> str:
    return store("release", "create", "--version", "1.0.0", *options, code=code).err


def _chart(store: Store) -> dict[str, Any]:
    """The one chart of release 1.0.0; its image came along."""
    assert list(store.images("1.0.0")) == [_DB]
    (chart,) = store.release("1.0.0")["charts"]
    return dict(chart)


def _archive(chart: Mapping[str, Any]) -> str:
    digest: str = chart["archive"]["digest"]
    return digest


def _digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_a_directory_gives_one_archive_with_either_helm(
    airstore: Airstore, helm3: Path, helm4: Path, tmp_path: Path, vendor_layout: Path
) -> None:
    archives = set()
    for helm in (helm3, helm4):
        directory = tmp_path / helm.name
        store = publisher(airstore, directory, _product("./app", vendor_layout))
        write_chart(directory / "product" / "app", "app", _DB)
        _create(store, "--helm", helm)
        archives.add(_archive(_chart(store)))
    assert len(archives) == 1


def test_an_archive_keeps_its_bytes_and_its_provenance(
    airstore: Airstore, helm: Path, tmp_path: Path, vendor_layout: Path
) -> None:
    store = publisher(airstore, tmp_path, _product("./app-1.0.0.tgz", vendor_layout))
    chart = write_chart(tmp_path / "app", "app", _DB)
    archive = package(helm, chart, tmp_path / "product", provenance=True)
    _create(store, "--helm", helm)
    kept = _chart(store)
    assert _archive(kept) == _digest(archive)
    provenance = f"{archive}.prov"
    assert _digest(Path(provenance)) in digests_of(kept)


def _pushed(helm: Path, directory: Path, vendor: Upstream, name: str, version: str) -> tuple[str, str]:
    """Push a chart to a vendor's registry; returns its place and the digest of its manifest, by skopeo.

    Helm 3 speaks plain HTTP to every loopback address, so the helm here must be 4 where there is TLS.
    """
    chart = write_chart(directory / name, name, _DB, version)
    archive = package(helm, chart, directory / "packaged", provenance=True)
    trust = ("--ca-file", vendor.server.ca) if vendor.server.ca else ("--plain-http",)
    push(helm, archive, f"oci://{vendor.host}/charts", vendor.config, *trust)
    return f"oci://{vendor.host}/charts/{name}", vendor.digest(f"charts/{name}:{version.replace('+', '_')}")


@pytest.mark.parametrize("kind", ["vendor_tls", "vendor_tokens", "vendor_plain"])
def test_a_chart_that_helm_pushed_keeps_its_manifest(
    kind: str,
    airstore: Airstore,
    helm: Path,
    helm4: Path,
    tmp_path: Path,
    vendor_layout: Path,
    request: pytest.FixtureRequest,
) -> None:
    vendor: Upstream = request.getfixturevalue(kind)
    name = f"app-{helm.name}"
    pusher = helm4 if vendor.server.ca else helm
    source, digest = _pushed(pusher, tmp_path, vendor, name, "1.0.0+build.7")
    store = publisher(airstore, tmp_path, _product(source, vendor_layout, name, "1.0.0+build.7"))
    _create(store, "--helm", helm, *vendor.options, *vendor.credentials)
    chart = _chart(store)
    assert chart["root"]["digest"] == digest
    (provenance,) = (blob for blob in chart["blobs"] if blob["mediaType"] == HELM_PROVENANCE)
    expected = PROVENANCE.format(name=name).encode()
    assert provenance["digest"] == f"sha256:{hashlib.sha256(expected).hexdigest()}"


def test_a_chart_that_is_not_there_or_not_ours_is_named(
    airstore: Airstore, tmp_path: Path, vendor_tls: Upstream, vendor_layout: Path
) -> None:
    source = f"oci://{vendor_tls.host}/charts/none"
    store = publisher(airstore, tmp_path, _product(source, vendor_layout, "none"))
    said = _create(store, *vendor_tls.options, *vendor_tls.credentials, code=10)
    assert f"there is no chart {source} in version 1.0.0" in said
    wrong = write_config(tmp_path / "config.json", vendor_tls.host, password="not the horse")
    said = _create(store, *vendor_tls.options, "--registry-config", wrong, code=40)
    assert "hint: check the user name and password" in said


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_a_chart_repository_gives_archive_and_provenance(
    password: str, airstore: Airstore, helm: Path, tmp_path: Path, vendor_layout: Path
) -> None:
    chart = write_chart(tmp_path / "app", "app", _DB)
    archive = package(helm, chart, tmp_path / "served", provenance=True)
    with repository(helm, tmp_path / "served", password=password) as url:
        host = url.removeprefix("http://")
        config = write_config(tmp_path / "config.json", host)
        watched = spy(helm, tmp_path / "spy")
        store = publisher(airstore, tmp_path, _product(url, vendor_layout))
        _create(store, "--helm", watched, *(("--registry-config", config) if password else ()))
        if password:
            missing = publisher(airstore, tmp_path / "anonymous", _product(url, vendor_layout))
            said = _create(missing, "--helm", helm, code=40)
            assert "hint: check the address, the credentials" in said
    kept = _chart(store)
    assert _archive(kept) == _digest(archive)
    assert _digest(Path(f"{archive}.prov")) in digests_of(kept)
    seen = (tmp_path / "spy" / "seen").read_text()
    assert PASSWORD not in seen, "neither arguments nor environment may hold a password"
    assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in seen


@pytest.mark.parametrize("version", ["9.9.9"])
def test_a_chart_repository_without_the_version_says_so(
    version: str, airstore: Airstore, helm4: Path, tmp_path: Path, vendor_layout: Path
) -> None:
    package(helm4, write_chart(tmp_path / "app", "app", _DB), tmp_path / "served")
    with repository(helm4, tmp_path / "served") as url:
        store = publisher(airstore, tmp_path, _product(url, vendor_layout, version=version))
        assert version in _create(store, code=10)


def test_dependencies_come_from_a_repository_behind_password_and_own_authority(
    airstore: Airstore, helm: Path, tmp_path: Path, vendor_layout: Path
) -> None:
    """Its address stands in the chart alone, not in the product file."""
    authority = Authority.create(tmp_path / "tls")
    package(helm, write_chart(tmp_path / "cache", "cache", _DB, "7.2.0"), tmp_path / "served")
    with repository(helm, tmp_path / "served", password=PASSWORD, authority=authority) as url:
        config = write_config(tmp_path / "config.json", url.removeprefix("https://"))
        store = publisher(airstore, tmp_path, _product("./app", vendor_layout))
        needs = f"dependencies: [{{name: cache, version: 7.x, repository: '{url}'}}]\n"
        write_chart(tmp_path / "product" / "app", "app", _DB, more=needs)
        said = _create(store, "--helm", helm, "--registry-config", config, code=40)
        assert "certificate" in said
        _create(store, "--helm", helm, "--registry-config", config, "--ca", authority.ca)
    _chart(store)
    history = store.path / "history.git"
    listed = run("git", "--git-dir", history, "ls-tree", "-r", "--name-only", "1.0.0", "charts/app/charts")
    assert "charts/app/charts/cache/Chart.yaml" in listed.split()


@pytest.mark.parametrize(("kind", "program"), [("tls", "4"), ("tokens", "4"), ("plain", "3"), ("plain", "4")])
def test_dependencies_come_from_a_registry(
    kind: str,
    program: str,
    airstore: Airstore,
    tmp_path: Path,
    vendor_layout: Path,
    request: pytest.FixtureRequest,
) -> None:
    vendor: Upstream = request.getfixturevalue(f"vendor_{kind}")
    helm: Path = request.getfixturevalue(f"helm{program}")
    name = f"cache-{program}"
    source, _ = _pushed(helm, tmp_path, vendor, name, "7.2.0")
    place = source.rpartition("/")[0]
    store = publisher(airstore, tmp_path, _product("./app", vendor_layout))
    needs = f"dependencies: [{{name: {name}, version: 7.2.0, repository: '{place}'}}]\n"
    write_chart(tmp_path / "product" / "app", "app", _DB, more=needs)
    _create(store, "--helm", helm, *vendor.options, *vendor.credentials)
    _chart(store)


def test_the_tree_shows_charts_for_review(airstore: Airstore, tmp_path: Path, vendor_layout: Path) -> None:
    store = publisher(airstore, tmp_path, _product("./app", vendor_layout))
    chart = write_chart(tmp_path / "product" / "app", "app", _DB)
    _create(store)
    shown = run_bytes(
        "git", "--git-dir", store.path / "history.git", "show", "1.0.0:charts/app/templates/pod.yaml"
    )
    assert shown == (chart / "templates" / "pod.yaml").read_bytes()
