"""Images from real registries: what a vendor's publisher ingests, and what it says where it cannot."""

from __future__ import annotations

import json
import shutil
import signal
import stat
from pathlib import Path

import pytest

from tests.support.product.e2e_road import Airstore, Store, digests_of, publisher, write_product
from tests.support.product.e2e_upstream import HOST, IMAGES, SIGNED, Upstream, attached_tags, write_config
from tests.support.product.e2e_world import started, wait_for
from tests.support.registry.faults import Fault, fault_proxy
from tests.support.registry.servers import PASSWORD, USER, free_port
from tests.support.registry.tls import Authority

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.product.e2e_fixtures"]

_ALL = [f"{HOST}/{name}" for name in IMAGES]
_DB = f"{HOST}/shop/db:15.2.0"


def _mirrored(vendor: Upstream, include: list[str] | None = None) -> dict[str, object]:
    """A product whose images are in a vendor's registry, as a mirror of their own."""
    place = f"docker://{vendor.host}/{vendor.prefix}".rstrip("/")
    return {"images": {"include": include or _ALL, "sources": {f"{HOST}/*": place}}}


def _create(store: Store, vendor: Upstream, *options: str | Path, code: int = 0) -> str:
    """Create a release; returns what was said about it."""
    return store(*_command(vendor), *options, code=code).err


def _command(vendor: Upstream) -> tuple[str | Path, ...]:
    return ("release", "create", "--version", "1.0.0", *vendor.options)


@pytest.mark.parametrize("kind", ["vendor_tls", "vendor_tokens", "vendor_plain"])
def test_digests_are_those_that_skopeo_sees(
    kind: str, airstore: Airstore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    vendor: Upstream = request.getfixturevalue(kind)
    store = publisher(airstore, tmp_path, _mirrored(vendor))
    _create(store, vendor, *vendor.credentials)
    assert store.images("1.0.0") == {f"{HOST}/{name}": digest for name, digest in vendor.digests.items()}
    store("release", "verify")
    store("check")


def test_an_image_comes_from_its_own_registry_by_tag_and_by_digest(
    airstore: Airstore, tmp_path: Path, vendor_plain: Upstream
) -> None:
    own = vendor_plain.host
    pinned = f"{own}/shop/db@{vendor_plain.digests['shop/db:15.2.0']}"
    store = publisher(airstore, tmp_path, {"images": {"include": [f"{own}/shop/api:1.0.0", pinned]}})
    _create(store, vendor_plain)
    expected = vendor_plain.digests
    assert store.images("1.0.0") == {
        f"{own}/shop/api:1.0.0": expected["shop/api:1.0.0"],
        pinned: expected["shop/db:15.2.0"],
    }


def test_what_is_attached_travels(airstore: Airstore, tmp_path: Path, vendor_tls: Upstream) -> None:
    """By the fallback tag for referrers, which registry 2.8 needs, and by cosign's tag."""
    store = publisher(airstore, tmp_path, _mirrored(vendor_tls))
    _create(store, vendor_tls, *vendor_tls.credentials)
    image = next(i for i in store.release("1.0.0")["images"] if SIGNED in i["reference"])
    listing, cosign = attached_tags(image["root"]["digest"])
    signature = vendor_tls.digest(f"{vendor_tls.prefix}shop/api:{cosign}")
    by_tag = {
        r.get("annotations", {}).get("org.opencontainers.image.ref.name"): r for r in image["referrers"]
    }
    assert by_tag[cosign]["digest"] == signature
    assert {r["digest"] for r in image["referrers"]} > {signature}
    assert listing not in by_tag, "the listing is rebuilt at the site"
    assert {r["digest"] for r in image["referrers"]} <= digests_of(image)


def test_only_the_platforms_asked_for_travel_and_the_index_stays(
    airstore: Airstore, tmp_path: Path, vendor_plain: Upstream
) -> None:
    cache = f"{HOST}/shop/cache:7.2.0"
    product = {**_mirrored(vendor_plain, [cache]), "platforms": ["linux/amd64"]}
    store = publisher(airstore, tmp_path, product)
    said = _create(store, vendor_plain)
    assert "travels without linux/arm64" in said
    assert store.images("1.0.0") == {cache: vendor_plain.digests["shop/cache:7.2.0"]}
    (image,) = store.release("1.0.0")["images"]
    assert [child["platform"]["architecture"] for child in image["missing"]] == ["arm64"]


def test_a_second_release_asks_again_and_fetches_no_layer(
    airstore: Airstore, tmp_path: Path, vendor_tokens: Upstream
) -> None:
    store = publisher(airstore, tmp_path, _mirrored(vendor_tokens, [_DB]))
    _create(store, vendor_tokens, *vendor_tokens.credentials)
    command = ("release", "create", "--version", "1.1.0", "-o", "json", *vendor_tokens.options)
    again = store(*command, *vendor_tokens.credentials).json
    assert again["new_blobs"] == 0
    assert store.images("1.1.0") == store.images("1.0.0")


def test_docker_config_is_found_where_docker_has_it(
    airstore: Airstore, tmp_path: Path, vendor_tls: Upstream
) -> None:
    store = publisher(airstore, tmp_path, _mirrored(vendor_tls, [_DB]))
    (airstore.home / ".docker").mkdir()
    shutil.copy(vendor_tls.config, airstore.home / ".docker" / "config.json")
    _create(store, vendor_tls)
    named = tmp_path / "named"
    named.mkdir()
    shutil.copy(vendor_tls.config, named / "config.json")
    (airstore.home / ".docker" / "config.json").unlink()
    store(*_command(vendor_tls), variables={"DOCKER_CONFIG": str(named)})


def test_a_credential_helper_opens_the_registry(
    airstore: Airstore, tmp_path: Path, vendor_tls: Upstream
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    helper = programs / "docker-credential-safe"
    answer = json.dumps({"ServerURL": vendor_tls.host, "Username": USER, "Secret": PASSWORD})
    helper.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/argv\nread -r host\n'
        f"[ \"$host\" = {vendor_tls.host} ] || exit 1\necho '{answer}'\n"
    )
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"credHelpers": {vendor_tls.host: "safe"}}))
    store = publisher(airstore, tmp_path, _mirrored(vendor_tls, [_DB]))
    path = {"PATH": f"{programs}:/usr/bin:/bin"}
    store(*_command(vendor_tls), "--registry-config", config, variables=path)
    assert set((tmp_path / "argv").read_text().split()) == {"get"}


@pytest.mark.parametrize("kind", ["vendor_tls", "vendor_tokens"])
def test_a_wrong_password_is_refused_with_a_hint(
    kind: str, airstore: Airstore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    vendor: Upstream = request.getfixturevalue(kind)
    config = write_config(tmp_path / "config.json", vendor.host, password="not the horse")
    store = publisher(airstore, tmp_path, _mirrored(vendor, [_DB]))
    said = _create(store, vendor, "--registry-config", config, code=40)
    assert f"{vendor.host}/{vendor.prefix}shop/db" in said
    assert "hint: check the user name and password" in said
    airstore.never_said("not the horse")
    store("release", "show", "1.0.0", code=10)


@pytest.mark.parametrize("kind", ["vendor_tls", "vendor_tokens"])
def test_without_credentials_the_way_to_give_them_is_told(
    kind: str, airstore: Airstore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    vendor: Upstream = request.getfixturevalue(kind)
    store = publisher(airstore, tmp_path, _mirrored(vendor, [_DB]))
    said = _create(store, vendor, code=40)
    assert "401" in said
    assert "docker login" in said


def test_a_certificate_of_an_unknown_authority_is_refused(
    airstore: Airstore, tmp_path: Path, vendor_tls: Upstream
) -> None:
    other = Authority.create(tmp_path / "other")
    store = publisher(airstore, tmp_path, _mirrored(vendor_tls, [_DB]))
    create = ("release", "create", "--version", "1.0.0", *vendor_tls.credentials)
    for options in ((), ("--ca", other.ca)):
        said = store(*create, *options, code=40).err
        assert "certificate" in said
        assert "--ca" in said
    store(*create, "--insecure-skip-tls-verify")


def test_plain_http_is_spoken_only_where_it_is_allowed(
    airstore: Airstore, tmp_path: Path, vendor_plain: Upstream
) -> None:
    store = publisher(airstore, tmp_path, _mirrored(vendor_plain, [_DB]))
    said = store("release", "create", "--version", "1.0.0", code=40).err
    assert "plain HTTP" in said
    assert "--plain-http" in said
    said = store("release", "create", "--version", "1.0.0", "--plain-http", "elsewhere:5000", code=40).err
    assert "--plain-http" in said


@pytest.mark.parametrize("names", ["lower", "upper"])
def test_a_proxy_is_used_but_for_the_hosts_it_is_not_for(
    names: str, airstore: Airstore, tmp_path: Path, vendor_plain: Upstream
) -> None:
    through, but_for = (getattr(name, names)() for name in ("http_proxy", "no_proxy"))
    store = publisher(airstore, tmp_path, _mirrored(vendor_plain, [_DB]))
    with fault_proxy(vendor_plain.host) as proxy:
        address = f"http://{proxy.host}"
        store(*_command(vendor_plain), variables={through: address})
        assert proxy.count("/v2/shop/db/blobs/") >= 3
        proxy.requests.clear()
        for number, hosts in enumerate(["127.0.0.1", "other,127.0.0.0/8", f"{vendor_plain.host}", "*"]):
            again = publisher(airstore, tmp_path / str(number), _mirrored(vendor_plain, [_DB]))
            again(*_command(vendor_plain), variables={through: address, but_for: hosts})
        assert proxy.requests == []


@pytest.mark.usefixtures("no_pauses")
def test_a_registry_that_is_down_is_named(airstore: Airstore, tmp_path: Path) -> None:
    host = f"127.0.0.1:{free_port()}"
    store = publisher(airstore, tmp_path, {"images": {"include": [f"{host}/shop/db:15.2.0"]}})
    said = store("release", "create", "--version", "1.0.0", "--plain-http", host, code=40).err
    assert f"{host}/shop/db" in said
    assert "connection refused" in said
    assert "hint: is the registry running" in said


def test_a_missing_image_is_named_with_where_it_was_looked_for(
    airstore: Airstore, tmp_path: Path, vendor_tls: Upstream
) -> None:
    for name in ("shop/db:99", "shop/none:1", "shop/db@sha256:" + "0" * 64):
        directory = tmp_path / str(len(list(tmp_path.iterdir())))
        store = publisher(airstore, directory, _mirrored(vendor_tls, [f"{HOST}/{name}"]))
        said = _create(store, vendor_tls, *vendor_tls.credentials, code=10)
        assert f"{HOST}/{name}" in said
        assert f"docker://{vendor_tls.host}/mirror" in said


def test_an_interrupt_ends_a_stuck_download_and_the_next_run_succeeds(
    airstore: Airstore, tmp_path: Path, vendor_plain: Upstream
) -> None:
    with fault_proxy(vendor_plain.host) as proxy:
        stuck = Fault("GET", "/blobs/", stall=120.0)
        proxy.faults.append(stuck)
        images = {"include": [_DB], "sources": {"*": f"docker://{proxy.host}"}}
        store = publisher(airstore, tmp_path, {"images": images})
        create = ("release", "create", "--version", "1.0.0", "--plain-http", proxy.host)
        with started(store, *create) as process:
            wait_for(lambda: not stuck.times)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=30)
        assert process.returncode == 130, said
        assert "Traceback" not in said
        store(*create)
    store("check")


def test_nothing_becomes_visible_unless_every_image_arrives(
    airstore: Airstore, tmp_path: Path, vendor_tls: Upstream
) -> None:
    product = _mirrored(vendor_tls, [*_ALL, f"{HOST}/shop/none:1"])
    store = publisher(airstore, tmp_path, product)
    _create(store, vendor_tls, *vendor_tls.credentials, code=10)
    assert store("release", "list", "-o", "json").json == []
    write_product(tmp_path / "product", _mirrored(vendor_tls))
    _create(store, vendor_tls, *vendor_tls.credentials)
    assert len(store.images("1.0.0")) == len(_ALL)
