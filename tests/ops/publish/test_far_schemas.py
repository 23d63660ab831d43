"""A chart whose schema refers to the web: read by the publisher, and held against by a site without any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.charts.schemas.served import Served, serving
from tests.support.product.road_parts import airstore, done, refused, unchanged
from tests.support.product.sharing import git
from tests.support.product.tiny_product import Tiny, make_tiny, site_of

COUNT = {"count": {"type": "integer", "maximum": 3}}


@pytest.fixture
def web() -> Iterator[Served]:
    with serving() as server:
        server.put({"/v1.json": {"definitions": COUNT}})
        yield server


@pytest.fixture
def tiny(tmp_path: Path, web: Served) -> Tiny:
    """The product, with a value that only sites set."""
    made = make_tiny(tmp_path)
    made.edit("chart: app}", "chart: app, bind: {count: site.count}}")
    schema = web.spell({"properties": {"count": {"$ref": "@/v1.json#/definitions/count"}}})
    (tmp_path / "app" / "values.schema.json").write_bytes(schema)
    (tmp_path / "app" / "values.yaml").write_text("count: 1\n")
    return made


def site_file(site: Path, count: str) -> None:
    (site / "site.yaml").write_text(f"apiVersion: airstore/v1\nkind: Site\nvars: {{count: {count}}}\n")


def kept(tiny: Tiny, version: str) -> dict[str, object]:
    """What a release has of schemas, by URL, as git shows it."""
    repository = tiny.store / "history.git"
    names = git("--git-dir", repository, "ls-tree", "-r", "--name-only", version, "schemas/").split()
    files = [json.loads(git("--git-dir", repository, "show", f"{version}:{name}")) for name in names]
    return {each["url"]: each["schema"] for each in files}


def test_a_site_without_a_network_holds_its_values_against_it(tiny: Tiny, web: Served) -> None:
    made = tiny.create()
    assert made.code == 0, made
    assert f"refers to {web.host}/v1.json: 1 schema read from there, kept in the release" in made.err
    assert kept(tiny, "1.0.0") == {f"{web.host}/v1.json": {"definitions": COUNT}}
    shown = done("-C", tiny.store, "release", "show", "1.0.0", "-o", "json").json()
    assert shown["schemas"] == [f"{web.host}/v1.json"]
    site = site_of(tiny)
    assert f"schema of values: {web.host}/v1.json" in done("-C", site, "release", "show", "1.0.0").out
    web.asked.clear()
    site_file(site, "2")
    assert json.loads(done("-C", site, "plan", "-o", "json").out)["steps"]
    site_file(site, "4")
    with unchanged(site):
        refused(airstore("-C", site, "plan"), 2, "values don't meet the specifications", "count")
    assert not web.asked


def test_the_publishers_own_values_are_held_against_it(tiny: Tiny, web: Served) -> None:
    (tiny.base / "app" / "values.yaml").write_text("count: many\n")
    with unchanged(tiny.store):
        refused(tiny.create(), 2, "values don't meet the specifications", "count", f"{web.host}/v1.json")


def test_the_same_version_again_where_nobody_answers(tiny: Tiny, web: Served) -> None:
    assert tiny.create().code == 0
    web.documents.clear()
    again = tiny.create()
    assert again.code == 0, again
    assert "as the newest release has it" in again.err
    assert "unchanged" in again.out
    assert kept(tiny, "1.0.0")


def test_another_schema_is_another_release(tiny: Tiny, web: Served) -> None:
    assert tiny.create().code == 0
    web.put({"/v1.json": {"definitions": {"count": {"type": "integer"}}}})
    with unchanged(tiny.store):
        refused(tiny.create(), 31, "exists with other content", "schemas/")
    assert tiny.create("1.0.1").code == 0
    assert kept(tiny, "1.0.1") == {f"{web.host}/v1.json": {"definitions": {"count": {"type": "integer"}}}}


def test_a_schema_that_cannot_be_had_stops_nothing(tiny: Tiny, web: Served) -> None:
    web.documents.clear()
    made = tiny.create()
    assert made.code == 0, made
    assert "cannot be brought along" in made.err
    assert "answered 404" in made.err
    assert kept(tiny, "1.0.0") == {}
    site = site_of(tiny)
    site_file(site, "4")
    assert done("-C", site, "plan").code == 0


def test_a_dry_run_reads_it_and_writes_nothing(tiny: Tiny) -> None:
    with unchanged(tiny.store):
        found = tiny.create("1.0.0", "--dry-run", "-o", "json")
    assert "kept in the release" in found.err
    assert found.code == 0
