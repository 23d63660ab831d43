"""A release that media skipped: its history is there, its blobs are not, and whoever asks is told so."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from airstore.ops.registry.serve import LiveCatalog
from airstore.ops.stores.directory import open_directory
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    process,
    refused,
    sound,
    unchanged,
    write_site_file,
)


@pytest.fixture
def skipping(road: Road, new_site: Path) -> Path:
    """A site that began with 1.1.0."""
    done("-C", new_site, "media", "import", road.full_new)
    write_site_file(new_site)
    sound(new_site, "1.0.0", "1.1.0")
    return new_site


def test_it_is_listed_with_what_is_held(skipping: Path) -> None:
    rows = done("-C", skipping, "release", "list", "-o", "json").json()
    assert [row["held"] for row in rows] == ["31 of 39 blobs", "all"]
    done("-C", skipping, "release", "verify", "1.0.0")
    done("-C", skipping, "release", "diff", "1.0.0", "1.1.0")


def test_it_is_neither_planned_nor_pushed(skipping: Path) -> None:
    with unchanged(skipping):
        for words in (
            ("plan", "--release", "1.0.0"),
            ("plan", "--compare", "1.0.0"),
            ("registry", "push", "http://127.0.0.1:1/x", "--release", "1.0.0"),
            ("registry", "push", "http://127.0.0.1:1/x", "--release", "1.0.0", "--dry-run"),
        ):
            refused(
                airstore("-C", skipping, *words), 21, "31 of the 39 blobs of release 1.0.0", "whole: 1.1.0"
            )
        done("-C", skipping, "plan")


def fetch(url: str) -> tuple[int, bytes]:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", f"/{path}")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_its_tags_are_not_offered(skipping: Path, road: Road, site: Path) -> None:
    with process("-C", skipping, "registry", "serve", "--listen", "127.0.0.1:0") as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert json.loads(fetch(f"{url}/v2/shop/api/tags/list")[1])["tags"] == ["1.1.0"]
            assert fetch(f"{url}/v2/shop/api/manifests/1.1.0")[0] == 200
            assert fetch(f"{url}/v2/shop/api/manifests/1.0.0")[0] == 404
        finally:
            server.terminate()
            _, err = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "release 1.0.0 is not served" in err
    done("-C", site, "media", "import", road.delta)
    assert LiveCatalog(open_directory(site)).left_out == ()


def test_a_damaged_newest_release_is_still_offered(skipping: Path) -> None:
    """For the images of it that are whole."""
    for pack in (skipping / "packs").iterdir():
        pack.unlink()
    (skipping / "index.sqlite").unlink()
    catalog = LiveCatalog(open_directory(skipping))
    assert catalog.left_out == ("1.0.0",)
    assert "shop/api" in catalog.repositories()
