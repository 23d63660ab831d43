"""SBOMs and VEX documents that are attached to images, by whatever tool: listed, shown, compared."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from fixture_images import EMPTY, LayoutWriter
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.ops.review.databases import Package
from airstore.ops.review.sbom.documents import read_bom
from airstore.ops.review.sbom.purl import package_of
from airstore.registry.source import REF_NAME
from tests.support.product.road_parts import airstore, done, refused
from tests.support.product.tiny_product import IMAGE, POD, Tiny, site_of
from tests.support.registry import layouts, signatures
from tests.support.registry.layouts import Node

FIXTURES = Path(__file__).parents[2] / "fixtures"
SPDX, CYCLONEDX = "application/spdx+json", "application/vnd.cyclonedx+json"
BUILDKIT, OPENVEX = "application/vnd.in-toto+json", "https://openvex.dev/ns/v0.2.0"


def sbom(name: str) -> bytes:
    """Written by syft (scripts/sbom_vectors.py)."""
    return (FIXTURES / "sbom" / name).read_bytes()


def statement(predicate: object, kind: str) -> bytes:
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": kind,
            "subject": [{"name": "_", "digest": {"sha256": "00" * 32}}],
            "predicate": predicate,
        }
    ).encode()


def cosign_att(writer: LayoutWriter, root: Node, predicate: object, kind: str) -> None:
    """As cosign before version 3 attests: a tag, an envelope, the predicate's type beside it."""
    payload = base64.b64encode(statement(predicate, kind)).decode()
    data = json.dumps({"payloadType": BUILDKIT, "payload": payload, "signatures": [{"sig": "AA=="}]}).encode()
    layer = writer.blob(data, "application/vnd.dsse.envelope.v1+json", annotations={"predicateType": kind})
    made = layouts.manifest(writer, writer.blob(b"{}", EMPTY), [layer])
    writer.attach({**made, "annotations": {REF_NAME: layouts.cosign_tag(root).replace(".sig", ".att")}})


def buildkit(writer: LayoutWriter, child: Node, predicate: object) -> Node:
    """As BuildKit attests: a child of the index, for a platform that nobody has."""
    kind = "https://spdx.dev/Document"
    layer = writer.blob(statement(predicate, kind), BUILDKIT, annotations={"in-toto.io/predicate-type": kind})
    made = layouts.manifest(writer, writer.blob(b"{}", EMPTY), [layer])
    notes = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": child["digest"],
    }
    return layouts.on(made, "unknown/unknown", **notes)


def released(tiny: Tiny, version: str, text: str, *attached: tuple[str, bytes]) -> None:
    """A release whose image has these referrers."""
    writer = LayoutWriter(tiny.layout)
    root = layouts.image(writer, text)
    writer.name(root, IMAGE)
    for kind, data in attached:
        signatures.refer(writer, root, data, kind)
    writer.finish()
    assert tiny.create(version).code == 0


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


def cyclonedx_with(*vulnerabilities: tuple[str, str, str]) -> bytes:
    document = json.loads(sbom("new.cyclonedx-json"))
    ref = next(each["bom-ref"] for each in document["components"] if each["name"] == "zlib1g")
    document["vulnerabilities"] = [
        {
            "id": name,
            "affects": [{"ref": ref}],
            "ratings": [{"severity": "low"}, {"severity": severity}],
            **({"analysis": {"state": state}} if state else {}),
        }
        for name, severity, state in vulnerabilities
    ]
    return json.dumps(document).encode()


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


@pytest.mark.parametrize(
    ("purl", "package"),
    [
        ("pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64&distro=debian-12", Package("dpkg", "zlib1g", "1:1.2.13")),
        ("pkg:npm/%40acme/right@2.0.0", Package("npm", "@acme/right", "2.0.0")),
        ("pkg:npm/@acme/right", Package("npm", "@acme/right", "")),
        ("pkg:golang/github.com/a/b/v2@v2.1.0#sub", Package("golang", "github.com/a/b/v2", "v2.1.0")),
        ("pkg:pypi/Typing_Extensions@4.2", Package("pip", "typing-extensions", "4.2")),
        ("pkg:apk/alpine/musl@1.2.4-r2", Package("apk", "musl", "1.2.4-r2")),
        ("pkg:maven/org.acme/core@1%2B2", Package("maven", "org.acme/core", "1+2")),
        ("pkg:generic/", None),
        ("zlib", None),
    ],
)
def test_package_urls(purl: str, package: Package | None) -> None:
    assert package_of(purl) == package


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=8), each, max_size=3),
    max_leaves=8,
)
_WORDS = ("packages", "components", "vulnerabilities", "statements", "@graph", "affects", "purl", "name")
_CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
_HEADS: list[dict[str, str]] = [
    {"spdxVersion": "SPDX-2.3"},
    {"bomFormat": "CycloneDX"},
    {"@context": OPENVEX},
    {"@context": _CONTEXT},
]
_LISTS = st.lists(st.dictionaries(st.sampled_from(_WORDS), _JSON))


@given(st.sampled_from(_HEADS), st.dictionaries(st.sampled_from(_WORDS), _LISTS | _JSON))
def test_odd_documents_are_read_or_refused(head: dict[str, str], rest: dict[str, Any]) -> None:
    try:
        bom = read_bom(head | rest)
    except DamagedError:
        return
    assert bom is not None
    assert all(isinstance(each, str) for package in bom.packages for each in package)
