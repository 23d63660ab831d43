"""Release reports: every fact is there, nothing from outside is markup, no secret is shown."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest

from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from scripts.images.fixture_images import LayoutWriter
from tests.support.product.road_parts import Road, airstore, done, refused, unchanged
from tests.support.product.tiny_product import CHART, IMAGE, POD, Tiny

EVIL = "<img src=x onerror=alert(1)>\"'&`|"
VOID = {"meta", "rect", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """A page's elements, and its text as people see it; fails where tags do not match."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.elements}


def self_contained(html: str) -> Page:
    """Parse a page that may ask for nothing: no script, no address, no handler."""
    page = Page(html)
    assert not page.names & {"script", "img", "link", "iframe", "object", "form", "a", "base"}
    for name, attributes in page.elements:
        assert not {key for key in attributes if key.startswith("on") or key in {"src", "href", "srcset"}}, (
            name
        )
    assert "url(" not in html
    assert "@import" not in html
    return page


def report(store: Path, *versions: str, out: Path, media: str = "--no-media") -> tuple[Page, str]:
    html, markdown = out / "report.html", out / "report.md"
    done("-C", store, "release", "report", *versions, "--html", html, "--md", markdown, media)
    return self_contained(html.read_text()), markdown.read_text()


def test_a_report_says_what_changes_in_both_forms(own_road: Road, tmp_path: Path) -> None:
    with unchanged(own_road.publisher):
        page, markdown = report(own_road.publisher, "1.0.0", "1.1.0", out=tmp_path, media="--media")
    diff = done("-C", own_road.publisher, "release", "diff", "1.0.0", "1.1.0", "-o", "json").json()
    signed = done("-C", own_road.publisher, "trust", "root", "show", "-o", "json").json()
    (key,) = (key for key in signed["keys"] if key["name"] == "release")
    asked = ("media", "create", "--to", "1.1.0", "--from", "1.0.0", "--dry-run", "-o", "json")
    weight = done("-C", own_road.publisher, *asked, tmp_path / "none").json()["estimated_bytes"]
    show = done("-C", own_road.publisher, "release", "show", "1.1.0", "-o", "json").json()
    image = next(a for a in show["artifacts"] if a["name"] == "registry.example.com/shop/api:1.1.0")
    assert [change["name"] for change in diff["artifacts"]] == ["registry.example.com/shop/api", "shop"]
    for said in (page.text, markdown):
        for fact in (key["fingerprint"], image["digest"], show["commit"], show["digest"]):
            assert fact in said
        assert "registry.example.com/shop/api" in said
        assert f"{weight / 1000:.1f} kB" in said
        assert "1.0.0 → 1.1.0" in said
        assert "-appVersion: 1.0.0" in said
        assert "chart 1.0.0 to 1.1.0; what is rendered by default" in said
    assert "1 of 2 Helm releases change, 1 of 9 images." in page.text
    fresh = [a for name, a in page.elements if name == "rect" and a.get("class") == "fresh"]
    assert len(fresh) >= 1 + len(next(c for c in diff["artifacts"] if c["kind"] == "image")["new_blobs"])
    assert ("svg", "img") in {(name, a.get("role")) for name, a in page.elements}
    assert "@media print" in Path(tmp_path / "report.html").read_text()


def test_a_first_release_is_reported_as_a_whole(road: Road, tmp_path: Path) -> None:
    page, markdown = report(road.publisher, "1.0.0", out=tmp_path)
    assert "The first release: 2 Helm releases, 9 images." in page.text
    assert "changed" not in page.text.split("Files:")[0]
    assert markdown.count("| added |") == 11
    assert "# shop 1.0.0\n" in markdown


def test_one_version_is_compared_with_the_one_before(road: Road, tmp_path: Path) -> None:
    alone, both = tmp_path / "alone", tmp_path / "both"
    alone.mkdir()
    both.mkdir()
    assert (
        report(road.publisher, "1.1.0", out=alone)[1] == report(road.publisher, "1.0.0", "1.1.0", out=both)[1]
    )


def test_a_site_reports_what_it_holds_and_says_what_it_lacks(road: Road, site: Path, tmp_path: Path) -> None:
    done("-C", site, "media", "import", road.delta)
    page, markdown = report(site, "1.0.0", "1.1.0", out=tmp_path, media="--media")
    assert "1 of 2 Helm releases change, 1 of 9 images." in page.text
    new = tmp_path / "late"
    done("init", new, "--site", "late", "--trust", road.root)
    done("-C", new, "media", "import", road.full_new)
    page, markdown = report(new, "1.0.0", "1.1.0", out=tmp_path)
    for said in (page.text, markdown):
        assert "not compared: blob sha256:" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("1.0.0", "1.1.0"), 2, ("nothing to write", "--html FILE")),
        (("1.0.0", "9.9.9", "--html", "OUT"), 10, ("there is no release '9.9.9'",)),
        (("1", "2", "3", "--html", "OUT"), 2, ("two releases at most",)),
    ],
)
def test_what_cannot_be_reported_is_said_and_nothing_written(
    words: tuple[str, ...], code: int, said: tuple[str, ...], road: Road, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    told = [str(out) if word == "OUT" else word for word in words]
    refused(airstore("-C", road.publisher, "release", "report", *told), code, *said)
    assert not out.exists()


def dpkg(*packages: tuple[str, str]) -> bytes:
    return "\n".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\nDescription: a\n b\n"
        for name, version in packages
    ).encode()


def make_layer(files: Mapping[str, bytes], packed: bool = True) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0) if packed else buffer.getvalue()


def make_image(directory: Path, *layers: Mapping[str, bytes]) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    writer = LayoutWriter(directory)
    kinds = [f"{OCI_LAYER}+gzip" if number % 2 == 0 else OCI_LAYER for number in range(len(layers))]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": writer.blob(b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG),
        "layers": [
            writer.blob(make_layer(files, packed=kind.endswith("gzip")), kind)
            for files, kind in zip(layers, kinds, strict=True)
        ],
    }
    writer.name(writer.document(manifest), IMAGE)
    writer.finish()


def rows(markdown: str) -> Iterator[list[str]]:
    for line in markdown.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_packages_are_those_that_a_container_sees(tiny: Tiny, tmp_path: Path) -> None:
    """Databases of lower layers are replaced and whited out; each manager's words are read."""
    make_image(
        tiny.layout,
        {"var/lib/dpkg/status": dpkg(("bash", "5.1"), ("libc6", "2.36"), (EVIL, "1"))},
        {
            "opt/v/a-1.dist-info/METADATA": b"Name: A_b\nVersion: 1\n\nText",
            "opt/x/node_modules/q/package.json": b"{",
        },
    )
    tiny.create("1.0.0")
    make_image(
        tiny.layout,
        {"var/lib/dpkg/status": dpkg(("bash", "5.1"), ("libc6", "2.36"))},
        {
            "./var/lib/dpkg/status": dpkg(("bash", "5.2"), ("libc6", "2.36")),
            "opt/v/a-1.dist-info/METADATA": b"Name: gone\nVersion: 1\n",
            "opt/x/node_modules/@s/q/package.json": json.dumps({"name": "@s/q", "version": "2"}).encode(),
            "lib/apk/db/installed": b"C:Q1x=\nP:musl\nV:1.2.5-r0\np:so:libc.musl\n\nP:zlib\nV:1.3-r1\n",
        },
        {"opt/v/.wh.a-1.dist-info": b"", "opt/v/b-2.dist-info/METADATA": b"Name: B\nVersion: 2\n"},
    )
    tiny.create("1.1.0")
    page, markdown = report(tiny.store, "1.0.0", "1.1.0", out=tmp_path)
    found = {(row[1], row[0]): row[2:] for row in rows(markdown) if row[1] in {"dpkg", "apk", "npm", "pip"}}
    escaped = "\\<img src=x onerror=alert(1)\\>\"'\\&\\`\\|"
    assert found == {
        ("apk", "musl"): ["added", "-", "`1.2.5-r0`"],
        ("apk", "zlib"): ["added", "-", "`1.3-r1`"],
        ("dpkg", "bash"): ["changed", "`5.1`", "`5.2`"],
        ("dpkg", escaped): ["removed", "`1`", "-"],
        ("npm", "@s/q"): ["added", "-", "`2`"],
        ("pip", "a-b"): ["removed", "`1`", "-"],
        ("pip", "b"): ["added", "-", "`2`"],
    }
    assert EVIL in page.text


SECRET = "kind: Secret\napiVersion: v1\nmetadata: {name: s}\nstringData:\n  plain: %s\n"


def test_nothing_from_outside_is_markup_and_no_secret_is_shown(tiny: Tiny, tmp_path: Path) -> None:
    templates = tiny.base / "app" / "templates"
    for version, secret in (("1.0.0", "hunter-two-1"), ("1.1.0", "hunter-two-2")):
        (tiny.base / "app" / "Chart.yaml").write_bytes(
            CHART + f"description: {json.dumps(EVIL + version)}\n".encode()
        )
        (templates / "secret.yaml").write_text(SECRET % f"{secret}-rendered")
        stays = f"# {EVIL} stays\n"  # beside what changes
        (templates / "pod.yaml").write_text(POD % IMAGE + f"{stays}# {EVIL} \u202e {version} {secret}\n")
        (tiny.base / "app" / "values.yaml").write_text(
            f"# password: {secret}-in-a-comment\ndb: {{password: {secret}}}\nadminPassword: {secret}-short\n"
            f"token: |\n  {secret}-in-lines\nplain: {json.dumps(EVIL + version)}\n"
        )
        tiny.create(version)
    page, markdown = report(tiny.store, "1.0.0", "1.1.0", out=tmp_path)
    assert EVIL in page.text
    for said in (page.text, markdown):
        assert "hunter-two" not in said
        assert "redacted" in said
        assert "\u202e" not in said
    outside = re.sub(r"```+diff\n.*?\n```+\n", "", markdown, flags=re.DOTALL)
    assert "<img" not in outside.replace("\\<img", "")
    assert set(re.findall(r"(?<!\\)<(/?\w+)", outside)) == {"details", "/details", "summary", "/summary"}
    assert "values.yaml" in page.text
    assert "secret.yaml" in page.text
