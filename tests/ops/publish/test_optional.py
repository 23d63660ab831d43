"""From product file to site, with images that come without all that is attached to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.ops.stores.directory import open_directory
from scripts.images.fixture_images import LayoutWriter
from tests.support.product.road_parts import airstore, done, refused, sound, unchanged
from tests.support.product.tiny_product import IMAGE, POD, Tiny, site_of
from tests.support.registry import layouts
from tests.support.registry.faults import Fault, FaultProxy

pytestmark = pytest.mark.slow


def signed_layout(directory: Path) -> dict[str, layouts.Node]:
    """The product's image with an SBOM, and the SBOM's own signature."""
    writer = LayoutWriter(directory)
    root = layouts.image(writer, "signed")
    nodes = {"root": root, "sbom": layouts.attachment(writer, root, "packages")}
    nodes["signature"] = layouts.attachment(writer, nodes["sbom"], "signed packages")
    writer.name(root, IMAGE)
    writer.attach(nodes["sbom"])
    writer.attach(nodes["signature"])
    writer.finish()
    return nodes


def test_an_attachment_whose_bytes_are_gone_stays_behind_with_what_hangs_on_it(tiny: Tiny) -> None:
    nodes = signed_layout(tiny.layout)
    layouts.blob_path(tiny.layout, str(Digest.of(b"packages"))).unlink()
    with unchanged(tiny.store):
        refused(tiny.create("1.0.0", "--require-attachments"), 10, nodes["sbom"]["digest"], "hint: leave out")
    made = tiny.create("1.0.0", "-o", "json")
    assert f"warning: {IMAGE} travels without {nodes['sbom']['digest']}" in made.err
    assert nodes["signature"]["digest"] in made.err
    assert len(made.json()["unavailable"]) == 2

    shown = done("-C", tiny.store, "release", "show", "1.0.0").out
    assert f"{IMAGE} travels without {nodes['sbom']['digest']}: it could not be read" in shown
    image = done("-C", tiny.store, "release", "show", "1.0.0", "-o", "json").json()["artifacts"][0]
    assert {part["digest"] for part in image["unavailable"]} == {
        nodes["sbom"]["digest"],
        nodes["signature"]["digest"],
    }
    assert str(tiny.base) not in json.dumps(image)  # a signed release says nothing of where it was made
    sound(site_of(tiny), "1.0.0")
    assert "unchanged" in tiny.create().out


def test_what_is_whole_has_nothing_to_say(tiny: Tiny) -> None:
    signed_layout(tiny.layout)
    (tiny.store / "keys" / "root").unlink()  # it is where it belongs
    made = tiny.create("1.0.0", "--require-attachments")
    assert (made.code, "warning" in made.err) == (0, False)
    assert "unavailable" not in made.out
    assert "travels without" not in done("-C", tiny.store, "release", "show", "1.0.0").out


def test_a_site_whose_registry_refuses_attachments_gets_the_image(proxy: FaultProxy, tiny: Tiny) -> None:
    nodes = signed_layout(tiny.layout)
    assert tiny.create().code == 0
    site = site_of(tiny)
    for name in ("sbom", "signature"):
        proxy.faults.append(Fault("PUT", f"/manifests/{nodes[name]['digest']}", times=100, status=405))
    push = ("-C", site, "registry", "push", proxy.host, "--plain-http", proxy.host)
    pushed = done(*push, "-o", "json")
    assert {entry["digest"] for entry in pushed.json()["unattached"]} == {
        nodes["sbom"]["digest"],
        nodes["signature"]["digest"],
    }
    assert "is attached to an image" in pushed.err
    assert "read-only" not in pushed.err
    assert proxy.count(r"^PUT /v2/.*/manifests/1$") == 1
    strict = airstore(*push, "--require-attachments")
    assert strict.code == 40
    assert "attached" in strict.err


def test_two_pins_of_one_tag_both_travel_and_a_pin_never_takes_a_tag(tiny: Tiny) -> None:
    writer = LayoutWriter(tiny.layout)
    one, other, named = (layouts.image(writer, text) for text in ("one", "other", "named"))
    writer.attach(one)
    writer.attach(other)
    writer.name(named, IMAGE)
    writer.finish()
    pods = [f"{IMAGE}@{one['digest']}", f"{IMAGE}@{other['digest']}"]
    template = tiny.base / "app" / "templates" / "pod.yaml"
    template.write_text("---\n".join(POD % pod for pod in pods))
    assert tiny.create("1.0.0").code == 0
    template.write_text("---\n".join(POD % pod for pod in [*pods, IMAGE]))
    assert tiny.create("1.1.0").code == 0
    images = done("-C", tiny.store, "release", "show", "1.1.0", "-o", "json").json()["artifacts"]
    digests = {entry["name"]: entry["digest"] for entry in images if entry["kind"] == "image"}
    assert digests == {pods[0]: one["digest"], pods[1]: other["digest"], IMAGE: named["digest"]}
    sound(site_of(tiny, "1.1.0"), "1.0.0", "1.1.0")


def test_releases_from_before_there_were_unavailable_parts_are_read_as_they_were(tiny: Tiny) -> None:
    assert tiny.create().code == 0
    store = open_directory(tiny.store)
    commit = store.history.find("1.0.0").commit
    text = store.history.read(commit, "release.json")
    assert b"unavailable" not in text
    assert Release.parse(text).to_bytes() == text
