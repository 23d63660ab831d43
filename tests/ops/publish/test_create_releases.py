"""Releases of damaged charts, impossible names, and the same again: exactly what is new goes in."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from airstore.history.git.commits import ReleaseTag
from airstore.history.reader import Reader
from airstore.ops.stores.directory import open_directory
from airstore.store.blobs import BlobStore, statistics
from tests.ops.publish.test_create import special
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    flipped,
    overwrite,
    refused,
    release_blobs,
    snapshot,
    sound,
    unchanged,
)
from tests.support.product.tiny_product import IMAGE, POD, Tiny, make_layout, pack_chart

pytestmark = pytest.mark.slow


def objects(store: Path) -> tuple[int, int]:
    with BlobStore(store) as blobs:
        counted = statistics(blobs)
    return counted.blobs, counted.objects


def test_a_chart_archive_with_links_is_what_helm_takes_it_for(tiny: Tiny) -> None:
    """Empty files; nothing is read or written through them."""
    tiny.edit("source: ./app", "source: ./app.tgz")
    members = [(special("app/link", tarfile.SYMTYPE, "/etc/passwd"), b""), *template_of(tiny)]
    pack_chart(tiny.base / "app.tgz", members)
    assert tiny.create().code == 0
    history = open_directory(tiny.store).history
    files = history.files(history.find("1.0.0").commit)
    assert "charts/app/templates/pod.yaml" in files
    assert not any("root:" in content.decode(errors="replace") for content in files.values())


def template_of(tiny: Tiny) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(tarfile.TarInfo("app/templates/pod.yaml"), (POD % IMAGE).encode())]


def test_a_chart_archive_that_is_cut_off_is_damage(tiny: Tiny) -> None:
    tiny.edit("source: ./app", "source: ./app.tgz")
    pack_chart(tiny.base / "app.tgz")
    whole = (tiny.base / "app.tgz").read_bytes()
    with unchanged(tiny.store):
        for data in (b"", whole[:20], whole[:-1], whole + b"x", b"not gzip"):
            overwrite(tiny.base / "app.tgz", data)
            refused(tiny.create(), 20, "app")


def test_a_chart_that_does_not_render_names_chart_and_template(tiny: Tiny) -> None:
    (tiny.base / "app" / "templates" / "pod.yaml").write_text('{{ fail "no thanks" }}')
    with unchanged(tiny.store):
        refused(tiny.create(), 2, "chart app", "no thanks", "pod.yaml")


@pytest.mark.parametrize("version", ["", "../x", "a b", "-1", ".1", "1..2", "1.lock", "x" * 200, "\x1b[31m"])
def test_a_version_that_cannot_be_one_is_refused_first(version: str, tiny: Tiny) -> None:
    shutil.rmtree(tiny.layout)  # nothing is looked at before
    with unchanged(tiny.store):
        outcome = airstore("-C", tiny.store, "release", "create", f"--version={version}")
        refused(outcome, 2, "cannot name a release", "hint: ")
        assert "\x1b" not in outcome.err


@pytest.mark.parametrize("author", ["nobody", "A <", "<a@b>", "A\tB <a@b>", "A <a\x1b@b>", "A <a<b>"])
def test_an_author_that_cannot_be_one_is_refused_first(author: str, tiny: Tiny) -> None:
    shutil.rmtree(tiny.layout)
    with unchanged(tiny.store):
        refused(tiny.create("1.0.0", "--author", author), 2)


def test_helm_that_is_none(tiny: Tiny, tmp_path: Path) -> None:
    with unchanged(tiny.store):
        refused(tiny.create("1.0.0", "--helm", tmp_path / "none"), 10, "Helm", "hint: ")
        refused(tiny.create("1.0.0", "--helm", tiny.product), 10, "airstore.yaml")
        script = tmp_path / "helm"
        script.write_text("#!/bin/sh\nexit 3\n")
        script.chmod(0o755)
        refused(tiny.create("1.0.0", "--helm", script), 2, "helm")


def test_the_same_release_twice_changes_nothing(tiny: Tiny) -> None:
    first = tiny.create("1.0.0", "-o", "json").json()
    assert (first["state"], first["sequence"], first["new_blobs"]) == ("created", 1, first["blobs"])
    before = objects(tiny.store)
    with unchanged(tiny.store):
        again = tiny.create("1.0.0", "-o", "json").json()
    assert again["state"].startswith("unchanged")
    assert (again["new_blobs"], again["new_stored_bytes"], again["commit"]) == (0, 0, None)
    assert objects(tiny.store) == before
    sound(tiny.store, "1.0.0")


def test_a_version_that_exists_with_other_content_is_refused(tiny: Tiny) -> None:
    assert tiny.create().code == 0
    make_layout(tiny.layout, text="other")
    with unchanged(tiny.store):
        refused(tiny.create(), 31, "1.0.0 exists with other content", IMAGE.rpartition(":")[0])
    make_layout(tiny.layout)
    tiny.edit("namespace: apps", "namespace: other")
    with unchanged(tiny.store):
        refused(tiny.create(), 31, "1.0.0 exists with other content", "airstore.yaml")
    assert tiny.create("1.1.0").code == 0
    sound(tiny.store, "1.0.0", "1.1.0")


def test_an_older_version_can_be_made_again(tiny: Tiny) -> None:
    """Its place in the chain is its own, whatever came after it."""
    assert tiny.create("1.0.0").code == 0
    text = tiny.product.read_text()
    tiny.edit("namespace: apps", "namespace: other")
    assert tiny.create("1.1.0").code == 0
    tiny.product.write_text(text)
    with unchanged(tiny.store):
        assert tiny.create("1.0.0", "-o", "json").json()["state"].startswith("unchanged")


def test_two_upstreams_for_one_place_at_the_site_are_refused(tiny: Tiny) -> None:
    make_layout(tiny.base / "other", text="other")
    index = tiny.base / "other" / "index.json"
    index.write_text(index.read_text().replace("registry.example.com", "mirror.example.com"))
    (tiny.base / "app" / "templates" / "more.yaml").write_text(
        POD.replace("name: app}", "name: more}", 1) % "mirror.example.com/tiny/app:1"
    )
    tiny.edit('sources: {"*": "oci:./images"}', 'sources: {"*": "oci:./images", "mirror*": "oci:./other"}')
    with unchanged(tiny.store):
        refused(tiny.create(), 2, IMAGE, "mirror.example.com/tiny/app:1", "hint: ")


def test_of_a_changed_image_and_chart_exactly_their_blobs_are_new(road: Road, site: Path) -> None:
    """One layer changed: that layer, config, manifest and referrer; and the chart with the new tag."""
    old, new = (open_directory(road.publisher).history.release(version) for version in ("1.0.0", "1.1.0"))
    known = old.blobs()
    fresh = {str(digest) for digest in new.blobs() if digest not in known}
    image = next(image for image in new.images if image.reference.path == "shop/api")
    chart = next(chart for chart in new.charts if chart.name == "shop")
    base = next(image for image in old.images if image.reference.path == "shop/api")
    layers = [blob for blob in image.blobs if "layer" in blob.media_type]
    changed = [blob for blob in layers if blob not in base.blobs]
    assert len(layers) > len(changed) == 1
    assert fresh == {str(b.digest) for b in image.blobs if b not in base.blobs} | {
        str(blob.digest) for blob in chart.blobs
    }
    kinds = sorted(blob.media_type.rpartition(".")[2] for blob in image.blobs if blob not in base.blobs)
    assert len(kinds) == 5  # layer, config, manifest; the referrer's manifest and what it carries
    assert {image.root, *image.referrers} <= {blob for blob in image.blobs if blob not in base.blobs}
    before = release_blobs(site, "1.0.0")
    done("-C", site, "media", "import", road.delta)
    assert release_blobs(site, "1.1.0") - before == fresh
    shown = done("-C", site, "release", "diff", "1.0.0", "1.1.0", "-o", "json").json()
    assert {blob["digest"] for change in shown["artifacts"] for blob in change["new_blobs"]} == fresh


def test_a_dry_run_changes_nothing_and_lists_everything(tiny: Tiny) -> None:
    with unchanged(tiny.store):
        rows = tiny.create("1.0.0", "--dry-run", "-o", "json").json()
    assert [(row["kind"], row["name"]) for row in rows] == [("chart", "app 1.0.0"), ("image", IMAGE)]


def test_the_same_inputs_in_another_store_give_the_same_release(tiny: Tiny, tmp_path: Path) -> None:
    other = tmp_path / "other-store"
    done("init", other, "--product", tiny.product)
    done("-C", other, "key", "generate", "release")
    documents = []
    for store in (tiny.store, other):
        done("-C", store, "release", "create", "--version", "1.0.0")
        documents.append(open_directory(store).history.read("1.0.0", "release.json"))
    assert documents[0] == documents[1]
    assert snapshot(tiny.store / "packs") == snapshot(other / "packs")


def test_a_release_mends_what_the_store_lost(tiny: Tiny) -> None:
    """Made again from the same inputs, everything is read back, and what is damaged is written anew."""
    assert tiny.create().code == 0
    (pack,) = (tiny.store / "packs").iterdir()
    overwrite(pack, flipped(pack.read_bytes(), 100))
    assert airstore("-C", tiny.store, "check").code == 20
    assert tiny.create().code == 0
    with BlobStore(tiny.store) as blobs:
        for digest in open_directory(tiny.store).history.release("1.0.0").blobs():
            assert b"".join(blobs.read(digest))


def test_what_a_release_costs_does_not_grow_with_the_history(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = Reader.read_tag

    def counting(self: Reader, version: str, oid: str) -> ReleaseTag:
        read.append(version)
        return original(self, version, oid)

    monkeypatch.setattr(Reader, "read_tag", counting)
    costs = []
    for number in range(6):
        (tiny.base / "app" / "values.yaml").write_text(f"n: {number}\n")
        read.clear()
        assert tiny.create(f"1.0.{number}").code == 0
        costs.append(len(read))
        read.clear()
        done("-C", tiny.store, "release", "show", f"1.0.{number}")
        costs.append(len(read))
    assert costs[2:4] == costs[-2:]
    assert max(costs) < 4
    read.clear()
    done("-C", tiny.store, "release", "list")
    assert len(read) <= 2 * 6
