"""Creating releases: faults are named before anything changes; what goes in is exactly what is new."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from airstore.core.image.oci import OCI_LAYER
from tests.support.product.e2e_road import Airstore, Store
from tests.support.product.road_parts import (
    airstore,
    flipped,
    overwrite,
    refused,
    unchanged,
)
from tests.support.product.tiny_product import IMAGE, POD, Tiny, make_layout, pack_chart


@pytest.mark.parametrize(
    ("old", "new", "where", "word"),
    [
        ("kind: Product", "kind: Produkt", ":2: kind:", "Product"),
        ("name: tiny", "name: Tiny Things", ":3: name:", "'Tiny Things'"),
        ("charts:", "chart:", ":4: chart:", "did you mean 'charts'"),
        ("source: ./app", "sauce: ./app", ":5: charts[0].sauce:", "did you mean 'source'"),
        ("namespace: apps, ", "", ":9: releases[0]:", "'namespace' must be given"),
        ("chart: app}", "chart: nope}", ":9: releases[0].chart:", "no chart 'nope'"),
        ("chart: app}", "chart: app, needs: [db]}", ":9: releases[0].needs:", "'db'"),
        ("source: ./app", "source: 'oci://r.example.com/app'", ":5: charts[0].source:", "exact version"),
        ("name: tiny", "name: tiny\nname: tiny", ":4: ", "duplicate key 'name'"),
        ("kind: Product", "kind: [", ":4: ", "expected"),
    ],
)
def test_a_fault_of_the_product_file_is_named_with_file_line_and_field(
    old: str, new: str, where: str, word: str, tiny: Tiny
) -> None:
    tiny.edit(old, new)
    with unchanged(tiny.store):
        outcome = tiny.create()
        assert outcome.code == 2, outcome
        assert f"airstore: {tiny.product}{where}" in outcome.err, outcome
        assert word in outcome.err
    refused(airstore("init", tiny.base / "s", "--product", tiny.product), 2, where)
    assert not (tiny.base / "s").exists()


@pytest.mark.parametrize(
    ("more", "code", "word"),
    [
        ("values: [values/none.yaml]", 10, "values/none.yaml"),
        ("values: [../outside.yaml]", 2, "../outside.yaml"),
        ("values: [/etc/hostname]", 2, "/etc/hostname"),
        ("values: [link.yaml]", 2, "link.yaml"),
        ("hooks: {preUpgrade: hooks/none.sh}", 10, "hooks/none.sh"),
        ("values: [broken.yaml]", 2, "broken.yaml"),
        ("values: [app]", 10, "app"),
    ],
)
def test_a_file_that_the_product_names_is_there_and_inside(
    more: str, code: int, word: str, tiny: Tiny
) -> None:
    (tiny.base.parent / "outside.yaml").write_text("{}")
    (tiny.base / "link.yaml").symlink_to(tiny.base.parent / "outside.yaml")
    (tiny.base / "broken.yaml").write_text("a: [")
    tiny.edit("chart: app}", f"chart: app, {more}}}")
    with unchanged(tiny.store):
        refused(tiny.create(), code, word)


def test_without_a_product_file_there_is_nothing_to_make(tiny: Tiny) -> None:
    tiny.product.unlink()
    with unchanged(tiny.store):
        refused(tiny.create(), 10, str(tiny.product))


def test_an_image_that_no_source_has_is_not_found(tiny: Tiny) -> None:
    (tiny.base / "app" / "templates" / "pod.yaml").write_text(POD % "registry.example.com/tiny/none:2")
    with unchanged(tiny.store):
        refused(tiny.create(), 10, "registry.example.com/tiny/none:2", str(tiny.layout), "hint: ")


@pytest.mark.parametrize("section", ["applier", "registry"])
def test_an_image_of_a_section_of_its_own_travels(section: str, tiny: Tiny) -> None:
    image = "registry.example.com/tiny/none:2"
    tiny.edit("images:", f"{section}: {{image: {image}, storage: 1Gi}}\nimages:")
    refused(tiny.create(), 10, image)  # it is asked for
    tiny.edit(image, "registry.example.com/tiny/app:1")
    assert tiny.create().code == 0
    release = Store(Airstore(tiny.base, Path("helm")), tiny.store).release("1.0.0")
    assert release[section] == {"image": "registry.example.com/tiny/app:1", "storage": "1Gi"}


def test_a_source_that_is_not_there_is_not_found(tiny: Tiny) -> None:
    shutil.rmtree(tiny.layout)
    with unchanged(tiny.store):
        refused(tiny.create(), 10, "images")
        refused(tiny.create("1.0.0", "--image-source", "*=oci-archive:nowhere.tar"), 10, "nowhere.tar")
        refused(tiny.create("1.0.0", "--image-source", "nonsense"), 2, "PATTERN=PLACE")


def blob_of(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
@pytest.mark.parametrize("fault", ["flipped", "short", "long", "missing", "empty"])
def test_a_layout_with_other_bytes_than_its_digests_is_damage(part: str, fault: str, tiny: Tiny) -> None:
    described = make_layout(tiny.layout)
    manifest = json.loads(blob_of(tiny.layout, described["digest"]).read_bytes())
    digests = {
        "manifest": described["digest"],
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][0]["digest"],
    }
    path = blob_of(tiny.layout, digests[part])
    data = path.read_bytes()
    if fault == "missing":
        path.unlink()
    else:
        changed = {
            "flipped": flipped(data, len(data) // 2),
            "short": data[:-1],
            "long": data + b"x",
            "empty": b"",
        }
        overwrite(path, changed[fault])
    with unchanged(tiny.store):
        outcome = tiny.create()
        assert outcome.code in {10, 20}, outcome
        refused(outcome, 10 if fault == "missing" else 20, path.name[:12])


Change = dict[str, Any]


def entry(**changes: Any) -> Change:
    return {"mediaType": OCI_LAYER, "digest": "sha256:" + "a" * 64, "size": 1, **changes}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"manifests": []}, "both an index and a manifest"),
        ({"layers": [entry(digest="sha256:" + "A" * 64)]}, "lower-case"),
        ({"layers": [entry(digest="sha512:" + "a" * 128)]}, "sha256"),
        ({"layers": [entry(digest="sha256:../../../etc/passwd")]}, "sha256"),
        ({"layers": [entry(size=-1)]}, "size"),
        ({"layers": [entry(size="1")]}, "size"),
        ({"layers": {}}, "layers"),
        ({"config": None}, "descriptor"),
        ({"schemaVersion": 1}, "schemaVersion"),
        ({"mediaType": "application/vnd.oci.image.index.v1+json"}, "index"),
    ],
)
def test_a_manifest_that_means_two_things_or_none_is_damage(change: Change, word: str, tiny: Tiny) -> None:
    make_layout(tiny.layout, change)
    with unchanged(tiny.store):
        outcome = tiny.create()
        assert outcome.code == 20, outcome
        refused(outcome, 20)
        assert word.lower() in outcome.err.lower(), outcome


def test_what_another_hash_names_is_refused_with_a_way_out(tiny: Tiny) -> None:
    """skopeo copies no such layer, and registries answer to no such pin."""
    make_layout(tiny.layout, {"layers": [entry(digest="sha512:" + "a" * 128)]})
    with unchanged(tiny.store):
        refused(tiny.create(), 20, "skopeo", "images.exclude")
    pin = f"{IMAGE}@sha512:{'a' * 128}"
    (tiny.base / "app" / "templates" / "pod.yaml").write_text(POD % pin)
    with unchanged(tiny.store):
        refused(
            tiny.create(),
            2,
            f"`skopeo inspect docker://{IMAGE}`",
            "in its values",
            f"images.exclude: ['{pin}']",
        )


def test_duplicate_keys_in_a_manifest_are_damage(tiny: Tiny) -> None:
    described = make_layout(tiny.layout)
    data = blob_of(tiny.layout, described["digest"]).read_bytes()
    spoilt = data.replace(b'"layers"', b'"layers":[],"layers"')
    digest = "sha256:" + hashlib.sha256(spoilt).hexdigest()
    blob_of(tiny.layout, digest).write_bytes(spoilt)
    index = json.loads((tiny.layout / "index.json").read_bytes())
    index["manifests"][0] |= {"digest": digest, "size": len(spoilt)}
    (tiny.layout / "index.json").write_text(json.dumps(index))
    with unchanged(tiny.store):
        refused(tiny.create(), 20, "duplicate key 'layers'")


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("member", "data", "word"),
    [
        (tarfile.TarInfo("app/../../evil"), b"x", "evil"),
        (tarfile.TarInfo("/app/evil"), b"x", "evil"),
        (tarfile.TarInfo("other/Chart.yaml"), b"x", "two directories"),
        (special("app/device", tarfile.CHRTYPE), b"", "device"),
        (special("app/pipe", tarfile.FIFOTYPE), b"", "pipe"),
        (tarfile.TarInfo("app/Chart.yaml"), b"name: twice", "Chart.yaml"),
        (tarfile.TarInfo("app/bomb"), bytes(110 << 20), "bytes"),
    ],
    ids=["dots", "absolute", "second", "device", "pipe", "twice", "bomb"],
)
def test_a_chart_archive_with_what_no_chart_has_is_damage(
    member: tarfile.TarInfo, data: bytes, word: str, tiny: Tiny
) -> None:
    tiny.edit("source: ./app", "source: ./app.tgz")
    pack_chart(tiny.base / "app.tgz", [(member, data)])
    with unchanged(tiny.store):
        refused(tiny.create(), 20, "app", word, "hint: ")
