"""Release reports say what SBOMs, VEX documents and upstream signatures say, as markup of nobody."""

from __future__ import annotations

import json

from scripts.images.fixture_images import LayoutWriter
from tests.ops.review.test_report import EVIL, Page, self_contained
from tests.support.product.road_parts import done
from tests.support.product.tiny_product import IMAGE, Tiny
from tests.support.registry import layouts, signatures
from tests.support.registry.sboms import CYCLONEDX, cyclonedx_with, released, sbom


def pages(tiny: Tiny, *versions: str) -> tuple[Page, str]:
    html, markdown = tiny.base / "report.html", tiny.base / "report.md"
    written = ("--no-media", "--html", html, "--md", markdown)
    done("-C", tiny.store, "release", "report", *versions, *written)
    return self_contained(html.read_text()), markdown.read_text()


def test_a_report_says_what_sboms_and_signatures_say(tiny: Tiny) -> None:
    signer = signatures.ecdsa()
    (tiny.base / "up.pub").write_bytes(signer.pem)
    released(tiny, "1.0.0", "old", (CYCLONEDX, cyclonedx_with(("CVE-2026-0001", "high", ""))))
    tiny.edit("images:\n", 'images:\n  signatures: [{images: ["*"], keys: [up.pub]}]\n')
    writer = LayoutWriter(tiny.layout)
    root = layouts.image(writer, "new")
    writer.name(root, IMAGE)
    document = json.loads(sbom("new.cyclonedx-json"))
    document["components"][0] |= {"name": EVIL, "version": "6.6.6", "purl": ""}
    signatures.refer(writer, root, json.dumps(document).encode(), CYCLONEDX)
    signatures.signed(writer, root, IMAGE.rpartition(":")[0], signer)
    writer.finish()
    assert tiny.create("1.1.0").code == 0
    page, markdown = pages(tiny, "1.0.0", "1.1.0")
    assert EVIL in page.text
    assert "By SBOM 2" in page.text
    assert "<img" not in markdown.replace("\\<", "")
    for said in (page.text, markdown):
        assert "Packages by the images' SBOMs" in said
        assert "1:1.2.13" not in said  # both are the newer system's
        assert "6.6.6" in said
        assert "CVE-2026-0001" in said
        assert "zlib1g 1:1.3.1" in said
        assert "not listed" in said
        assert "signed upstream by" in said
        assert "signers/up.pub" in said
        assert signer.fingerprint[7:19] in said


def test_a_report_without_sboms_has_no_such_section(tiny: Tiny) -> None:
    released(tiny, "1.0.0", "old")
    page, markdown = pages(tiny, "1.0.0")
    assert "SBOM" not in page.text + markdown
    assert "signed upstream" not in page.text + markdown


def test_a_report_is_bounded_and_says_what_it_leaves_out(tiny: Tiny) -> None:
    """As a scanner that knows everything writes them."""
    many = [(f"CVE-2026-{number:05}", "low", "") for number in range(1200)]
    document = json.loads(cyclonedx_with(*many))
    document["components"] += [
        {"type": "library", "name": f"lib{number}", "version": "1"} for number in range(3500)
    ]
    released(tiny, "1.0.0", "image", (CYCLONEDX, json.dumps(document).encode()))
    page, markdown = pages(tiny, "1.0.0")
    for said in (page.text, markdown):
        assert "200 more are not shown" in said
        assert "505 more are not shown" in said
