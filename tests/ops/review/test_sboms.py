"""SBOMs and VEX documents that are attached to images, by whatever tool: listed, shown, compared."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airstore.registry.source import REF_NAME
from scripts.images.fixture_images import LayoutWriter
from tests.support.product.road_parts import airstore, done, refused
from tests.support.product.tiny_product import IMAGE, POD, Tiny, site_of
from tests.support.registry import layouts, signatures
from tests.support.registry.sboms import (
    CYCLONEDX,
    FIXTURES,
    OPENVEX,
    SPDX,
    buildkit,
    cosign_att,
    cyclonedx_with,
    released,
    sbom,
)

pytestmark = pytest.mark.slow


def shown(tiny: Tiny, *more: str) -> Any:
    return done("-C", tiny.store, "release", "show", "1.0.0", *more, "-o", "json").json()


@pytest.mark.parametrize(
    ("kind", "name"), [(SPDX, "new.spdx-json"), (CYCLONEDX, "new.cyclonedx-json")], ids=["spdx", "cyclonedx"]
)
def test_a_referrer_is_listed_and_read_at_both_sides(kind: str, name: str, tiny: Tiny) -> None:
    released(tiny, "1.0.0", "image", (kind, sbom(name)))
    (listed,) = shown(tiny)["artifacts"][0]["sboms"]
    assert (listed["kind"], listed["platform"], listed["size"]) == (kind, None, len(sbom(name)))
    packages = {(each["manager"], each["name"]): each["version"] for each in shown(tiny, "--sbom")["items"]}
    assert packages["dpkg", "zlib1g"] == "1:1.3.1"
    assert packages["pip", "typing-extensions"] == "4.2"
    site = site_of(tiny)
    assert f"{IMAGE} has an SBOM: {kind} in sha256:" in done("-C", site, "release", "show", "1.0.0").out
    at_site = done("-C", site, "release", "show", "1.0.0", "--sbom", IMAGE).out
    assert "zlib1g" in at_site


def test_whatever_attached_it(tiny: Tiny) -> None:
    """Cosign's tags and attestations, BuildKit's child of the index, a bundle: each for its platform."""
    spdx, cyclonedx = json.loads(sbom("new.spdx-json")), json.loads(sbom("new.cyclonedx-json"))
    writer = LayoutWriter(tiny.layout)
    child = layouts.image(writer, "child")
    root = layouts.index(writer, [layouts.on(child, "linux/amd64"), buildkit(writer, child, spdx)])
    writer.name(root, IMAGE)
    cosign_att(writer, root, cyclonedx, "https://cyclonedx.org/bom")
    cosign_att(writer, child, {"Data": json.dumps(spdx)}, "https://spdx.dev/Document")  # cosign 1
    signatures.refer(writer, child, signatures.bundle(root, signatures.ecdsa(), predicate="https://x.dev/y"))
    tagged = layouts.attachment(writer, None, sbom("new.spdx-json").decode(), "text/spdx+json")
    name = layouts.cosign_tag(child).replace(".sig", ".sbom")
    writer.attach({**tagged, "annotations": {REF_NAME: name}})
    writer.finish()
    assert tiny.create().code == 0
    found = [(each["platform"], each["kind"]) for each in shown(tiny)["artifacts"][0]["sboms"]]
    assert sorted(found, key=str) == sorted(
        [
            ("linux/amd64", "https://spdx.dev/Document"),
            ("linux/amd64", "https://spdx.dev/Document"),
            ("linux/amd64", "text/spdx+json"),
            (None, "https://cyclonedx.org/bom"),
        ],
        key=str,
    )
    everything = shown(tiny, "--sbom")
    assert everything["notes"] == []
    assert {each["platform"] for each in everything["items"]} == {"linux/amd64", None}


def test_what_cosign_itself_attached(tiny: Tiny) -> None:
    """A bundle, an attestation under a tag and an SBOM under another, by the real one."""
    image = "127.0.0.1:5055/vectors/attested:1"
    (tiny.base / "app/templates/pod.yaml").write_text(POD % image)
    tiny.edit("oci:./images", f"oci:{FIXTURES / 'cosign/images'}")
    assert tiny.create().code == 0
    kinds = {each["kind"] for each in shown(tiny)["artifacts"][0]["sboms"]}
    assert kinds == {"https://spdx.dev/Document", "https://cyclonedx.org/bom", "text/spdx+json"}
    read = shown(tiny, "--sbom", image)
    assert ("zlib", "1.3.1") in {(each["name"], each["version"]) for each in read["items"]}
    assert read["notes"] == []


def test_a_diff_says_which_packages_changed(tiny: Tiny) -> None:
    released(tiny, "1.0.0", "old", (SPDX, sbom("old.spdx-json")), (CYCLONEDX, sbom("old.cyclonedx-json")))
    released(tiny, "1.1.0", "new", (SPDX, sbom("new.spdx-json")))
    command = ("-C", tiny.store, "release", "diff", "1.0.0", "1.1.0", "--sbom")
    (image,) = done(*command, "-o", "json").json()["sboms"]
    assert (image["form"], image["count"], image["notes"]) == ("SPDX", 4, [])
    assert {(each["name"], each["change"], *each["old"], *each["new"]) for each in image["changes"]} == {
        ("zlib1g", "changed", "1:1.2.13", "1:1.3.1"),
        ("typing-extensions", "changed", "4.1", "4.2"),
        ("left", "removed", "1"),
        ("right", "added", "1"),
    }
    assert "zlib1g dpkg" in done(*command).out


def test_an_older_image_without_one_is_not_taken_for_an_empty_one(tiny: Tiny) -> None:
    """All packages would look new."""
    released(tiny, "1.0.0", "old", (CYCLONEDX, sbom("old.cyclonedx-json")))
    released(tiny, "1.1.0", "new", (SPDX, sbom("new.spdx-json")))
    command = ("-C", tiny.store, "release", "diff", "1.0.0", "1.1.0", "--sbom", "-o", "json")
    (image,) = done(*command).json()["sboms"]
    assert (image["changes"], image["notes"]) == ([], ["not compared: the older image has no SPDX document"])


def test_vulnerabilities_that_come_go_and_change(tiny: Tiny) -> None:
    vex = {
        "@context": OPENVEX,
        "statements": [
            {
                "vulnerability": {"name": "CVE-2026-0003"},
                "status": "not_affected",
                "products": [
                    {"@id": "pkg:oci/x", "subcomponents": [{"@id": "pkg:deb/debian/zlib1g@1:1.3.1"}]}
                ],
            }
        ],
    }
    old = cyclonedx_with(("CVE-2026-0001", "high", ""), ("CVE-2026-0002", "medium", ""))
    new = cyclonedx_with(("CVE-2026-0002", "critical", "not_affected"))
    released(tiny, "1.0.0", "old", (CYCLONEDX, old))
    released(
        tiny, "1.1.0", "new", (CYCLONEDX, new), ("application/vnd.openvex+json", json.dumps(vex).encode())
    )
    command = ("-C", tiny.store, "release", "diff", "1.0.0", "1.1.0", "--sbom")
    (image,) = done(*command, "-o", "json").json()["sboms"]
    assert [(e["name"], e["severity"], e["old"], e["new"]) for e in image["vulnerabilities"]] == [
        ("CVE-2026-0001", "high", "listed", ""),
        ("CVE-2026-0002", "critical", "listed", "not_affected"),
        ("CVE-2026-0003", "", "", "not_affected"),
    ]
    assert (
        f"{IMAGE.rpartition(':')[0]}: CVE-2026-0001 high in zlib1g 1:1.3.1: listed -> not listed"
        in done(*command).out
    )
    both = done("-C", tiny.store, "release", "show", "1.1.0", "--sbom").out
    assert "CVE-2026-0002 critical not_affected in zlib1g 1:1.3.1" in both


@pytest.mark.parametrize(
    "data",
    [
        b"SPDXVersion: SPDX-2.3\nPackageName: zlib\n",  # tag-value
        b'{"a": 1, "a": 2}',
        b'{"spdxVersion": "SPDX-2.3", "packages": {"name": "zlib"}}',
        b'{"something": "else"}',
        b"\xff" * 100,
    ],
    ids=["tag-value", "twice", "no list", "else", "bytes"],
)
def test_what_cannot_be_read_is_said_and_stops_nothing(data: bytes, tiny: Tiny) -> None:
    released(tiny, "1.0.0", "image", (SPDX, data), (CYCLONEDX, sbom("new.cyclonedx-json")))
    assert len(shown(tiny)["artifacts"][0]["sboms"]) == 2
    read = shown(tiny, "--sbom")
    assert len(read["items"]) == 5
    (note,) = read["notes"]
    assert note.startswith(f"{IMAGE}: SBOM ")
    assert "not read: " in done("-C", tiny.store, "release", "show", "1.0.0", "--sbom").out


def test_an_image_without_one_and_one_that_is_not_there(tiny: Tiny) -> None:
    released(tiny, "1.0.0", "image")
    command = ("-C", tiny.store, "release", "show", "1.0.0", "--sbom")
    refused(airstore(*command), 10, "no SBOM is attached to any image of the release")
    refused(airstore(*command, IMAGE), 10, f"no SBOM is attached to {IMAGE}")
    refused(airstore(*command, "registry.example.com/none:1"), 2, "does not contain it")
    released(tiny, "1.1.0", "other")
    assert (
        "no changed image has an SBOM"
        in done("-C", tiny.store, "release", "diff", "1.0.0", "1.1.0", "--sbom").out
    )


def test_control_characters_of_others_drive_no_terminal(tiny: Tiny) -> None:
    document = json.loads(sbom("new.spdx-json"))
    document["packages"][0]["name"] = "evil\x1b[2J\nname"
    document["packages"][0]["externalRefs"] = []
    released(tiny, "1.0.0", "image", (SPDX, json.dumps(document).encode()))
    out = done("-C", tiny.store, "release", "show", "1.0.0", "--sbom").out
    assert "evil" in out
    assert "\x1b" not in out
