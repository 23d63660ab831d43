"""A product file to start from: valid, commented, and made of what there is already."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from airstore.charts.packages.tarball import write_tarball
from airstore.core.model.product import load_product
from tests.support.product.road_parts import airstore, done, refused
from tests.support.product.tiny_product import Tiny

DIGEST = "sha256:" + "1" * 64
ZARF = f"""\
kind: ZarfPackageConfig
metadata: {{name: Big Bang, version: 1.2.3}}
variables: [{{name: DOMAIN}}]
components:
  - name: web
    charts:
      - name: web
        url: oci://registry.example.com/charts/web
        version: 1.10
        namespace: web-ns
        valuesFiles: [values/web.yaml]
      - {{name: local, localPath: chart, version: 0.1.0, namespace: local}}
      - {{name: fromgit, url: "https://git.example.com/team/chart.git", version: 2.0.0, namespace: g}}
      - {{name: renamed, repoName: redis, url: "https://charts.example.com", version: 19.0.1, namespace: c}}
    manifests: [{{name: m, files: [m.yaml]}}]
    images: ["quay.io/acme/web:1.10", "redis:7"]
  - name: more
    images: ["redis:7", "quay.io/acme/tools@{DIGEST}"]
"""
HAULER = """\
apiVersion: content.hauler.cattle.io/v1
kind: Images
metadata: {name: images}
spec: {images: [{name: "quay.io/acme/web:1.0", platform: linux/amd64}, {name: "busybox:1.37"}]}
---
apiVersion: content.hauler.cattle.io/v1
kind: Charts
metadata: {name: charts}
spec:
  charts:
    - {name: web, repoURL: "oci://registry.example.com/charts", version: 1.0.0}
    - {name: db, repoURL: "https://charts.example.com", version: 2.10}
---
apiVersion: content.hauler.cattle.io/v1
kind: Files
metadata: {name: files}
spec: {files: [{path: "https://get.example.com/install.sh"}]}
"""
LIST = "# ours\nquay.io/acme/web:1.0   # the web server\n\nbusybox\n"


def started(base: Path, *words: str | Path) -> str:
    done("init", base / "store", "--product", base / "airstore.yaml", *words)
    return (base / "airstore.yaml").read_text()


def test_a_directory_of_a_chart(tiny: Tiny, tmp_path: Path) -> None:
    shutil.copytree(tiny.base / "app", tmp_path / "app")
    text = started(tmp_path, "--from-chart", tmp_path / "app")
    assert text.startswith("# yaml-language-server: $schema=./product.schema.json\n")
    assert (tmp_path / "product.schema.json").is_file()
    product = load_product(tmp_path / "airstore.yaml")
    assert [(c.name, c.source, c.version) for c in product.charts] == [("app", "./app", "1.0.0")]
    assert [(r.name, r.namespace, r.chart) for r in product.helm_releases] == [("app", "app", "app")]
    found = done("-C", tmp_path / "store", "images", "find", "-o", "json").json()
    assert [row["image"] for row in found] == ["registry.example.com/tiny/app:1"]


def test_an_archive_and_a_registry(tmp_path: Path) -> None:
    chart_file = b"apiVersion: v2\nname: web\nversion: 1.2.3\n"
    (tmp_path / "web-1.2.3.tgz").write_bytes(write_tarball("web", {"Chart.yaml": chart_file}))
    started(tmp_path, "--from-chart", tmp_path / "web-1.2.3.tgz")
    assert load_product(tmp_path / "airstore.yaml").charts[0].source == "./web-1.2.3.tgz"
    other = tmp_path / "other"
    other.mkdir()
    started(other, "--from-chart", "oci://registry.example.com:5000/charts/web:1.10")
    chart = load_product(other / "airstore.yaml").charts[0]
    assert (chart.name, chart.source, chart.version) == (
        "web",
        "oci://registry.example.com:5000/charts/web",
        "1.10",
    )


def test_a_list_of_images(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text(LIST)
    started(tmp_path, "--from-images", tmp_path / "images.txt")
    product = load_product(tmp_path / "airstore.yaml")
    assert product.include == ("quay.io/acme/web:1.0", "busybox")
    assert product.charts == ()


def test_a_zarf_package(tmp_path: Path) -> None:
    (tmp_path / "zarf.yaml").write_text(ZARF)
    text = started(tmp_path, "--from-images", tmp_path / "zarf.yaml")
    product = load_product(tmp_path / "airstore.yaml")
    assert product.name == "big-bang"
    assert {(c.name, c.source, c.version) for c in product.charts} == {
        (
            "web",
            "oci://registry.example.com/charts/web",
            "1.10",
        ),
        ("local", "chart", "0.1.0"),
        ("fromgit", "./charts/fromgit", "2.0.0"),
        ("redis", "https://charts.example.com", "19.0.1"),
    }
    assert product.helm_releases[0].values == ("values/web.yaml",)
    assert product.helm_releases[0].namespace == "web-ns"
    assert len(product.include) == 3
    for said in ("no chart from git", "component web also has manifests", "bind chart values"):
        assert said in text


def test_a_hauler_manifest(tmp_path: Path) -> None:
    (tmp_path / "hauler.yaml").write_text(HAULER)
    text = started(tmp_path, "--from-images", tmp_path / "hauler.yaml")
    product = load_product(tmp_path / "airstore.yaml")
    assert [(c.source, c.version) for c in product.charts] == [
        ("oci://registry.example.com/charts/web", "1.0.0"),
        ("https://charts.example.com", "2.10"),
    ]
    assert product.include == ("quay.io/acme/web:1.0", "busybox:1.37")
    assert "# files: no part" in text


ODD = (
    "\ufeff# ours\r\n- quay.io/acme/web:1.0\r\n  'busybox',  # quoted\r\ndocker://redis:7\r\nredis:7\r\n\r\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_lines_as_people_and_windows_write_them(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_bytes(ODD.encode(encoding))
    started(tmp_path, "--from-images", tmp_path / "images.txt")
    images = ("quay.io/acme/web:1.0", "busybox", "redis:7")
    assert load_product(tmp_path / "airstore.yaml").include == images


def test_an_image_with_another_tools_variable_is_left_for_a_person(tmp_path: Path) -> None:
    (tmp_path / "zarf.yaml").write_text(ZARF.replace("quay.io/acme/web:1.10", "a/b:###ZARF_PKG_TMPL_T###"))
    text = started(tmp_path, "--from-images", tmp_path / "zarf.yaml")
    assert "# image a/b:###ZARF_PKG_TMPL_T###: no image reference" in text
    assert len(load_product(tmp_path / "airstore.yaml").include) == 2


def test_two_product_files_share_a_schema_and_nothing_else_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text(LIST)
    words = ("--from-images", tmp_path / "images.txt")
    started(tmp_path, *words)
    second = ("--product", tmp_path / "second.yaml", *words)
    refused(airstore("init", tmp_path / "store", *second), 2, "store")
    assert not (tmp_path / "second.yaml").exists()
    assert (tmp_path / "product.schema.json").exists()
    done("init", tmp_path / "other", *second)
    (tmp_path / "product.schema.json").write_text("mine")
    third = ("--product", tmp_path / "third.yaml", *words)
    refused(airstore("init", tmp_path / "more", *third), 2, "product.schema.json", "not airstore's")
    assert (tmp_path / "product.schema.json").read_text() == "mine"
    assert not (tmp_path / "third.yaml").exists()


REFUSED = {
    "nothing": ("# none\n", 2, "names no image"),
    "a Zarf package that is none": ("kind: ZarfPackageConfig\ncomponents: {a: 1}\n", 2, "components must be"),
    "a chart that is none": ("kind: Charts\nspec: {charts: [a]}\n", 2, "charts[0]"),
    "a number of lines": ("redis:7\na b\nc d\n", 2, "x:3: 'c d' is not an image reference"),
    "another YAML": ("kind: Pod\nspec: {}\n", 2, "no list of images"),
    "no image": ("what is this?\n", 2, "not an image reference"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_neither_is_refused_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    text, code, word = REFUSED[case]
    (tmp_path / "x").write_text(text)
    words = ("init", tmp_path / "store", "--product", tmp_path / "airstore.yaml")
    refused(airstore(*words, "--from-images", tmp_path / "x"), code, word)
    refused(airstore(*words, "--from-images", tmp_path / "none"), 10, "none")
    refused(airstore(*words, "--from-chart", "oci://registry.example.com/web"), 2, "VERSION")
    refused(airstore(*words, "--from-chart", "/etc"), 10, "/etc")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


def test_a_product_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text(LIST)
    (tmp_path / "airstore.yaml").write_text("mine")
    words = ("init", tmp_path / "store", "--product", tmp_path / "airstore.yaml")
    refused(airstore(*words, "--from-images", tmp_path / "images.txt"), 2, "exists already")
    assert (tmp_path / "airstore.yaml").read_text() == "mine"


def test_everything_it_writes_is_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text("quay.io/a/b:1\n")
    text = started(tmp_path, "--from-images", tmp_path / "images.txt")
    assert yaml.safe_load(text)["images"]["include"] == ["quay.io/a/b:1"]
