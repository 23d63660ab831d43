"""Release notes, courier sheets and the table of sites: what people are given besides the report."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.ops.review.test_report import self_contained
from tests.support.product.road_parts import Road, airstore, done, refused, unchanged
from tests.support.product.tiny_product import CHART, Tiny, make_layout

pytestmark = pytest.mark.slow

CHANGES = """\
- Two ports instead of one
- kind: security
  description: Closes CVE-0000-1
  links:
    - {name: advisory, url: "https://example.com/a?b=c"}
    - {name: trap, url: "javascript:alert(1)"}
- {kind: fixed, description: "A | bar and <b>bold</b>"}
- {kind: odd}
"""


def test_notes_come_from_versions_images_and_the_charts_own_words(tiny: Tiny, tmp_path: Path) -> None:
    tiny.create("1.0.0")
    annotated = (
        f"annotations:\n  artifacthub.io/changes: |\n    {CHANGES.replace(chr(10), chr(10) + '    ')}\n"
    )
    chart = (
        CHART.replace(b"1.0.0", b"1.1.0")
        + f"{annotated}  artifacthub.io/containsSecurityUpdates: 'true'\n".encode()
    )
    (tiny.base / "app" / "Chart.yaml").write_bytes(chart)
    make_layout(tiny.layout, text="new")
    tiny.create("1.1.0")
    outcome = done("-C", tiny.store, "release", "notes", "1.0.0", "1.1.0")
    for line in (
        "# tiny 1.1.0",
        "Since 1.0.0; made 2026-01-01.",
        "## app 1.0.0 → 1.1.0",
        "**Contains security updates.**",
        "- Closes CVE-0000-1 ([advisory](<https://example.com/a?b=c>))",
        "- A \\| bar and \\<b\\>bold\\</b\\>",
        "- Two ports instead of one",
    ):
        assert line in outcome.out.splitlines(), (line, outcome.out)
    assert outcome.out.index("### Security") < outcome.out.index("### Fixed")
    assert "javascript" not in outcome.out
    assert "- registry.example.com/tiny/app 1, `sha256:" in outcome.out
    assert "warning: artifacthub.io/changes of chart app: entry 4 says nothing" in outcome.err
    file = tmp_path / "notes.md"
    done("-C", tiny.store, "release", "notes", "1.1.0", "--md", file)
    assert file.read_text() == outcome.out
    refused(airstore("-C", tiny.store, "release", "notes", "1.1.0", "--md", file), 2, "is there already")


def test_the_first_release_has_notes_and_a_list_that_is_none_is_said(tiny: Tiny) -> None:
    (tiny.base / "app" / "Chart.yaml").write_bytes(
        CHART + b"annotations: {artifacthub.io/changes: '{a: b}'}\n"
    )
    tiny.create("1.0.0")
    outcome = done("-C", tiny.store, "release", "notes", "1.0.0")
    assert "The first release, made 2026-01-01." in outcome.out
    assert "artifacthub.io/changes of chart app is no list" in outcome.err


def test_a_courier_sheet_says_what_the_signed_index_says(own_road: Road, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.html"
    with unchanged(own_road.publisher):
        done("-C", own_road.publisher, "media", "label", own_road.delta, "--html", sheet)
    page = self_contained(sheet.read_text())
    digest = hashlib.sha256((own_road.delta / "index.json").read_bytes()).hexdigest()
    assert digest in page.text.replace(" ", "")
    inspected = done("media", "inspect", own_road.delta, "-o", "json").json()
    assert inspected["index_digest"] == f"sha256:{digest}"
    assert own_road.key.public.fingerprint in page.text
    for fact in (
        "shop 1.0.0 → 1.1.0",
        inspected["commit"],
        f"({inspected['total_bytes']} bytes)",
        "Received by",
    ):
        assert fact in page.text
    (code,) = (a for name, a in page.elements if name == "svg" and a.get("class") == "qr")
    assert code["viewbox"]
    done("media", "verify", own_road.delta, "--trust", own_road.root)


def test_a_sheet_has_a_line_for_each_volume(road: Road, tmp_path: Path) -> None:
    out = tmp_path / "cut"
    done("-C", road.publisher, "media", "create", "--to", "1.1.0", "--volume-size", "500K", out)
    done("-C", road.publisher, "media", "label", out)
    page = self_contained((tmp_path / "cut-label.html").read_text())
    count = len(list(out.iterdir()))
    assert count > 1
    assert all(f"{number} of {count}" in page.text for number in range(1, count + 1))


def test_no_sheet_is_made_of_media_that_nobody_vouches_for(
    road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = shutil.copytree(road.delta, tmp_path / "media")
    monkeypatch.chdir(tmp_path)
    refused(airstore("media", "label", media), 30, "no trust root", "--trust root.json")
    refused(
        airstore("media", "label", media, "--trust", road.root, "--html", media / "l.html"), 2, "on the media"
    )
    index = media / "index.json"
    document = json.loads(index.read_bytes())
    document["payload"] = document["payload"][:-8] + "AAAAAAA="
    index.chmod(0o644)
    index.write_text(json.dumps(document))
    assert airstore("media", "label", media, "--trust", road.root).code in {20, 30}
    assert not list(tmp_path.glob("*.html"))
