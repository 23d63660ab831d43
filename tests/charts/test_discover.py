"""Lists that charts carry, conditions, exclusions, and uniting what variants name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.charts.images.candidate import named, plain, says_image
from airstore.charts.images.discover import discover
from airstore.charts.images.documents import find_images
from airstore.charts.images.finding import ImageFinding, matches, show_path, wanted, why
from airstore.charts.packages.archive import ChartArchive, read_chart
from airstore.charts.packages.tarball import write_tarball
from airstore.charts.rendering.render import Document, Rendered, RenderTarget, merge
from airstore.core.errors import UsageError
from airstore.core.image.reference import Reference
from airstore.core.parsing import strictjson
from tests.charts.chart_parts import packed

LISTED = """annotations:
  helm.sh/images: |
    - {name: a, image: quay.io/l/a:1}
    - {name: b, image: quay.io/l/b:1, condition: extra.enabled}
  artifacthub.io/images: |
    - {name: c, image: quay.io/l/c:1, whitelisted: true, platforms: [linux/amd64]}
  images: |
    - {name: d, image: quay.io/l/d:1}
"""


def confidences(findings: list[ImageFinding]) -> dict[str, set[str]]:
    result: dict[str, set[str]] = {}
    for finding in findings:
        result.setdefault(str(finding.reference), set()).add(finding.confidence)
    return result


def chart(extra: str = "", values: str = "{}\n", files: dict[str, bytes] | None = None) -> ChartArchive:
    base = read_chart(packed("shop", chart=extra, values=values)).files
    return read_chart(write_tarball("shop", {**base, **(files or {})}))


def rendered(variant: str = "", values: dict[str, Any] | None = None, body: Any = None) -> Rendered:
    documents = (Document("shop/templates/a.yaml", body),) if body else ()
    return Rendered("shop", RenderTarget("shop"), variant, "", documents, values or {})


def test_annotations_are_certain_and_conditions_are_heeded() -> None:
    archive = chart(LISTED, values="extra: {enabled: false}\n")
    found = confidences(discover([rendered()], [archive]))
    assert found == {
        "quay.io/l/a:1": {"certain"},
        "quay.io/l/b:1": {"possible"},
        "quay.io/l/c:1": {"certain"},
        "quay.io/l/d:1": {"certain"},
    }


def test_one_variant_that_meets_the_condition_is_enough() -> None:
    archive = chart(LISTED, values="extra: {enabled: false}\n")
    variants = [rendered(), rendered("large.yaml", {"extra": {"enabled": True}})]
    findings = discover(variants, [archive])
    assert Reference.parse("quay.io/l/b:1") in wanted(findings)
    certain = [f.variant for f in why(findings, "quay.io/l/b:1") if f.confidence == "certain"]
    assert certain == ["large.yaml"]


def with_subchart(dependency: str, parent_values: str) -> ChartArchive:
    listed = 'annotations: {images: "[{name: x, image: quay.io/s/x:1}]"}\n'
    inner = packed("cache", chart=listed, values="image: {repository: s/y, tag: ''}\nappVersion: 1\n")
    files = {"charts/cache-1.0.0.tgz": inner}
    text = f"dependencies: [{{name: cache, version: 1.0.0, {dependency}}}]\n"
    base = read_chart(packed("shop", chart=text, values=parent_values)).files
    return read_chart(write_tarball("shop", {**base, **files}))


CONDITIONS = {
    "no condition": ("alias: c", "{}\n", "certain"),
    "off": ("condition: cache.enabled", "cache: {enabled: false}\n", "possible"),
    "on": ("condition: cache.enabled", "cache: {enabled: true}\n", "certain"),
    "unset": ("condition: cache.enabled", "{}\n", "certain"),
    "second decides": ("condition: 'a.b,cache.on'", "cache: {on: false}\n", "possible"),
    "tag off": ("tags: [t]", "tags: {t: false}\n", "possible"),
    "tag on": ("tags: [t, u]", "tags: {t: false, u: true}\n", "certain"),
}


@pytest.mark.parametrize(("dependency", "values", "confidence"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_a_subcharts_list_counts_when_the_subchart_does(
    dependency: str, values: str, confidence: str
) -> None:
    found = confidences(discover([rendered()], [with_subchart(dependency, values)]))
    assert found["quay.io/s/x:1"] == {confidence}


def test_values_that_nothing_used_are_listed_and_not_fetched() -> None:
    values = "global: {imageRegistry: quay.io}\ncache: {enabled: false, image: {tag: 1.5}}\n"
    findings = discover([rendered()], [with_subchart("condition: cache.enabled", values)])
    assert confidences(findings)["quay.io/s/y:1.5"] == {"possible"}
    assert wanted(findings) == []


def test_values_that_something_used_are_not_listed_again() -> None:
    archive = chart(values="image: quay.io/a/b:1\n")
    findings = discover([rendered(body={"kind": "A", "spec": {"image": "quay.io/a/b:1"}})], [archive])
    assert [(f.source, f.confidence) for f in findings] == [("shop/templates/a.yaml", "likely")]


@pytest.mark.parametrize("path", ["Images.lock", "images.lock", ".imgpkg/images.yml"])
def test_lock_files_are_certain(path: str) -> None:
    lock = b"apiVersion: v0\nkind: ImagesLock\nimages:\n- {name: a, image: quay.io/l/a:1, chart: shop}\n"
    findings = discover([rendered()], [chart(files={path: lock})])
    assert [(str(f.reference), f.confidence, f.source) for f in findings] == [
        ("quay.io/l/a:1", "certain", f"shop/{path}")
    ]


def test_a_list_that_is_no_yaml_is_named() -> None:
    with pytest.raises(UsageError, match=r"shop/Chart.yaml: helm.sh/images"):
        discover([], [chart("annotations: {helm.sh/images: '{'}\n")])


def test_included_images_are_certain_and_must_be_references() -> None:
    findings = discover([], [], ["quay.io/tools/debug:1.4"])
    assert [(str(f.reference), f.path) for f in findings] == [
        ("quay.io/tools/debug:1.4", "images.include[0]")
    ]
    with pytest.raises(UsageError, match="not an image reference"):
        discover([], [], ["Not An Image"])


def test_an_excluded_image_is_listed_with_its_pattern() -> None:
    body = {"kind": "Pod", "spec": {"containers": [{"image": "auto"}, {"image": "quay.io/a/b:1"}]}}
    findings = discover([rendered(body=body)], [chart()], exclude=["none*", "auto"])
    assert [(str(f.reference), f.excluded_by) for f in findings] == [
        ("docker.io/library/auto:latest", "auto"),
        ("quay.io/a/b:1", ""),
    ]
    assert [str(reference) for reference in wanted(findings)] == ["quay.io/a/b:1"]


PATTERNS = [
    ("redis:7", "docker.io/library/redis:7", True),
    ("redis:7", "redis:7", True),
    ("redis:7", "redis", True),
    ("redis:7", "redis:*", True),
    ("redis:7", "re?is:[67]", True),
    ("redis:7", "docker.io/*", True),
    ("istio/auto", "*/istio/auto", True),
    ("bitnami/redis:7", "bitnami/*", True),
    ("bitnami/redis:7", "redis", False),
    ("quay.io/a/b:1", "quay.io/*", True),
    ("quay.io/a/b:1", "a/b:1", False),
    ("quay.io/a/b:1", "quay.io/a", False),
]


@pytest.mark.parametrize(("image", "pattern", "expected"), PATTERNS)
def test_patterns(image: str, pattern: str, expected: bool) -> None:
    assert matches(Reference.parse(image), pattern) is expected


def test_why_takes_short_names() -> None:
    findings = discover([], [], ["redis:7", "quay.io/a/b:1"])
    assert [str(f.reference) for f in why(findings, "redis:7")] == ["docker.io/library/redis:7"]
    assert [str(f.reference) for f in why(findings, "*b:1")] == ["quay.io/a/b:1"]
    assert why(findings, "redis:8") == []


def test_why_takes_what_tables_show_of_pins() -> None:
    pins = [f"quay.io/a/b:1@sha256:{digit * 64}" for digit in "12"]
    findings = discover([], [], [*pins, "quay.io/a/b:2"])
    assert [str(f.reference) for f in why(findings, "quay.io/a/b:1")] == pins
    assert [str(f.reference) for f in why(findings, pins[1])] == pins[1:]
    assert [str(f.reference) for f in why(findings, pins[1][: -64 + 12])] == pins[1:]
    assert why(findings, pins[1][: -64 + 11]) == []
    assert why(findings, f"quay.io/a/b:1@sha256:{'3' * 64}") == []


def test_only_test_hooks_are_tests() -> None:
    def hook(events: str) -> bool:
        return Document("a", {"metadata": {"annotations": {"helm.sh/hook": events}}}).is_test

    assert [hook(e) for e in ("test", "test-success", "test,pre-install", "pre-upgrade", "")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_paths_read_well() -> None:
    assert show_path(("spec", "containers", 0, "image")) == "spec.containers[0].image"
    assert show_path(("data", "a.yaml", "x-y")) == 'data["a.yaml"].x-y'


def test_values_merge_as_helm_merges() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}) == {
        "a": {"b": 3, "c": 2},
        "d": [2],
    }


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("image", True), ("sidecarImage", True), ("RELATED_IMAGE_WORKER", True),
        ("RELATED_IMAGE_REGISTRY", True),
        ("--cache-image", True), ("containerimage", True), ("imageName", True), ("imageURL", True),
        ("images", True),
        ("imagePullPolicy", False), ("IMAGE_TAG", False), ("image.repository", False), ("imagery", False),
        ("imageMinimumGCAge", False), ("imageID", False), ("name", False), ("", False),
    ],
)  # fmt: skip
def test_keys_that_say_image(key: str, expected: bool) -> None:
    assert says_image(key) is expected


KEYS = (
    "image images tag repository registry name value env containers volumes data kind spec url ref reference"
    " default digest"
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.text("ab./:@=,{\n -", max_size=30)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(KEYS.split()),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_any_document_can_be_searched(body: Any) -> None:
    for hit in find_images(body):
        assert Reference.parse(str(hit.reference)) == hit.reference


@given(JSON)
def test_the_same_is_found_in_an_embedded_document(body: Any) -> None:
    inside = {"data": {"x": strictjson.dumps({"spec": body, "y": 1}).decode()}}
    plainly = {
        (hit.reference, hit.confidence) for hit in find_images({"data": {"x": {"spec": body, "y": 1}}})
    }
    assert {(hit.reference, hit.confidence) for hit in find_images(inside)} == plainly


@given(st.text(max_size=60))
def test_any_text_is_an_image_or_not(text: str) -> None:
    named(text)
    plain(text)
    says_image(text)


HOSTS = st.sampled_from(["", "quay.io/", "registry.example.com:5000/", "localhost/"])
PATHS = st.from_regex(r"[a-z]{2,6}(/[a-z]{2,6}){0,2}", fullmatch=True)
TAGS = st.from_regex(r"v?[0-9]\.[0-9]{1,2}(-alpine)?", fullmatch=True)


@given(HOSTS, PATHS, TAGS)
def test_a_reference_is_found_wherever_a_key_says_image(host: str, path: str, tag: str) -> None:
    text = f"{host}{path}:{tag}"
    expected = {Reference.parse(text)}
    for body in (
        {"spec": {"image": text}},
        {"spec": {"image": {"registry": host.rstrip("/"), "repository": path, "tag": tag}}},
        {"spec": {"env": [{"name": "X_IMAGE", "value": text}]}},
        {"spec": {"args": [f"--x-image={text}"]}},
        {"spec": {"args": ["--x-image", text]}},
        {"data": {"a.yaml": f"a:\n  image: {text}\n"}},
    ):
        assert {hit.reference for hit in find_images(body)} == expected
