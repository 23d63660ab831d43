"""Pages for people in a real Chromium: nothing is fetched, nothing complains, axe finds nothing, all fits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TOOLS
from tests.ops.media.test_receipts import applied, ran
from tests.support.product.road_parts import Road, done, write_site_file
from tests.support.tools.browser import Browser, browser

pytestmark = pytest.mark.root

NAMES = ("report", "first", "plan", "fleet", "label")
A4 = 718  # pixels that a sheet has between its margins, at 96 to the inch
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = json.dumps({"resultTypes": ["violations"], "runOnly": TAGS})


@pytest.fixture(scope="module")
def pages(road: Road, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every page that airstore makes, of a product with everything in it."""
    base: Path = tmp_path_factory.mktemp("pages")
    publisher, site = base / "publisher", base / "site"
    shutil.copytree(road.publisher, publisher)
    shutil.copytree(road.site, site)
    write_site_file(site)
    ran(site, applied("1.1.0", 1_000, 9_000), applied("1.0.0", 10_000, 10_040, "failed"))
    made = {name: base / f"{name}.html" for name in NAMES}
    done("-C", site, "plan", "--compare", "1.0.0", "--html", made["plan"])
    done("-C", site, "receipt", "-o", base / "receipt.json")
    done("-C", publisher, "site", "add", "acme", site / "keys" / "site.pub")
    done("-C", publisher, "fleet", base / "receipt.json", "--html", made["fleet"])
    done("-C", publisher, "release", "report", "1.0.0", "1.1.0", "--html", made["report"])
    done("-C", publisher, "release", "report", "--no-media", "1.0.0", "--html", made["first"])
    done("-C", publisher, "media", "label", road.full, "--html", made["label"])
    return made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def axe() -> str:
    found = sorted(TOOLS.glob("axe-*.min.js"))
    assert found, "axe-core is not there: run scripts/axe"
    return found[-1].read_text()


def violations(chromium: Browser, axe: str) -> list[str]:
    chromium.script(axe + "; 1")
    found = chromium.script(f"axe.run(document, {RULES}).then(r => r.violations)")
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folded", [True, False], ids=["folded", "open"])
def test_axe_finds_nothing_on_a_page(
    name: str, folded: bool, pages: dict[str, Path], chromium: Browser, axe: str
) -> None:
    chromium.open(pages[name])
    if not folded:
        chromium.script("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert violations(chromium, axe) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_nothing_but_itself(name: str, pages: dict[str, Path], chromium: Browser) -> None:
    chromium.open(pages[name])
    assert set(chromium.requests) <= {pages[name].as_uri()} | {
        url for url in chromium.requests if url.startswith("data:")
    }
    assert chromium.complaints == []
    assert chromium.script("document.body.innerText.length") > 200


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_a_telephone_and_a_sheet(
    name: str, pages: dict[str, Path], chromium: Browser, tmp_path: Path
) -> None:
    for width, medium in ((400, "screen"), (A4, "print")):
        chromium.open(pages[name], width)
        chromium.call("Emulation.setEmulatedMedia", media=medium)
        chromium.picture(tmp_path / f"{name}-{medium}.png")
        wide = chromium.script("document.documentElement.scrollWidth")
        chromium.call("Emulation.setEmulatedMedia", media="")
        assert wide <= width
    assert chromium.paper().startswith(b"%PDF-")


def test_what_the_page_tests_look_for_is_found(chromium: Browser, axe: str, tmp_path: Path) -> None:
    """A page that does everything wrong fails every one of them."""
    page = tmp_path / "bad.html"
    page.write_text(
        '<html><body style="background:#fff"><p style="color:#eee">pale</p><img src="http://127.0.0.1:1/x.png">'
        '<div style="width:900px">wide</div><script>console.error("no")</script></body></html>'
    )
    chromium.open(page, 400)
    assert any("127.0.0.1" in url for url in chromium.requests)
    assert chromium.complaints
    assert chromium.script("document.documentElement.scrollWidth") > 400
    found = " ".join(violations(chromium, axe))
    assert all(rule in found for rule in ("image-alt", "color-contrast", "html-has-lang"))
