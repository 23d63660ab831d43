import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.image.descriptor import Descriptor, Platform
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.model.gates import Condition, Gate, HttpGate, ResourceGate, ValueAt, WorkloadGate
from airstore.core.model.release import Chart, HelmRelease, Image, Release
from airstore.core.model.sections import ProductApplier, ProductRegistry

words = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
versions = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}(-rc\.[0-9])?(\+b[0-9])?", fullmatch=True)
paths = st.lists(st.from_regex(r"[A-Za-z0-9_.-]{0,6}[a-z]", fullmatch=True), min_size=1, max_size=3)
tree_paths = paths.map("/".join).filter(lambda path: ".git" not in path.lower().split("/"))
digests = st.binary(max_size=8).map(Digest.of)
platforms = st.builds(Platform, st.just("linux"), words, st.just("") | words)
descriptors = st.builds(
    Descriptor,
    media_type=st.sampled_from(["application/vnd.oci.image.manifest.v1+json", "text/plain", "a/b"]),
    digest=digests,
    size=st.integers(0, 2**53 - 1),
    platform=platforms | st.none(),
    artifact_type=st.sampled_from(["", "application/vnd.example.sbom"]),
    annotations=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)
several = st.lists(descriptors, max_size=3).map(tuple)
some = st.lists(descriptors, min_size=1, max_size=3).map(tuple)
references = st.builds(
    lambda path, tag, digest: Reference("registry.example.com", path, tag if tag or digest else "1", digest),
    words,
    st.just("") | versions.map(lambda version: version.replace("+", "_")),
    digests | st.none(),
)
images = st.builds(Image, references, descriptors, some, several, several)
charts = st.builds(Chart, words, versions, st.just("./charts/x") | words, descriptors, descriptors, some)
tests_of_objects = st.builds(Condition, words) | st.builds(
    ValueAt, st.just("{.status.phase}"), words | st.integers(0, 9) | st.booleans()
)
gates: st.SearchStrategy[Gate] = st.one_of(
    st.builds(WorkloadGate, st.sampled_from(["deployment", "statefulset", "daemonset", "job"]), words),
    st.just(HttpGate("http://shop-api.shop:8080/healthz?deep=1")),
    st.builds(
        ResourceGate, st.just("example.com/v1"), st.just("Thing"), words, st.none() | words, tests_of_objects
    ),
)
helm_releases = st.builds(
    HelmRelease,
    name=words,
    namespace=words,
    chart=words,
    values=st.lists(tree_paths, max_size=2).map(tuple),
    bind=st.dictionaries(words, words.map("site.{}".format), max_size=2),
    needs=st.lists(words, max_size=2, unique=True).map(tuple),
    timeout=st.sampled_from(["5m", "1h30m", "90s", "1.5h"]),
    hooks=st.dictionaries(
        st.sampled_from(["preUpgrade", "verifyBackup", "rollback", "postUpgrade"]), tree_paths
    ),
    health=st.lists(gates, max_size=2).map(tuple),
)
releases = st.builds(
    Release,
    product=words,
    version=versions,
    sequence=st.integers(1, 2**53 - 1),
    previous=digests | st.none(),
    platforms=st.lists(platforms.map(str), max_size=2, unique=True).map(tuple),
    images=st.lists(images, max_size=3).map(tuple),
    charts=st.lists(charts, max_size=2).map(tuple),
    helm_releases=st.lists(helm_releases, max_size=2).map(tuple),
    files=st.dictionaries(tree_paths, digests, max_size=3),
    registry=st.builds(
        ProductRegistry, st.none() | st.just("registry:2"), replicas=st.none() | st.integers(1, 9)
    ),
    applier=st.none() | st.builds(ProductApplier, st.just("applier:1"), words),
)


@given(releases)
def test_a_release_survives_its_bytes(release: Release) -> None:
    data = release.to_bytes()
    again = Release.parse(data)
    assert again == release
    assert again.to_bytes() == data


@pytest.mark.slow
@given(releases, st.data())
def test_nothing_else_is_read(release: Release, draw: st.DataObject) -> None:
    """Without any one field but the optional one, and with any one more, it is refused."""
    document = json.loads(release.to_bytes())
    gone = draw.draw(st.sampled_from(sorted(document.keys() - {"applier"})))
    for other in ({k: v for k, v in document.items() if k != gone}, {**document, "more": 1}):
        with pytest.raises(DamagedError):
            Release.parse(json.dumps(other).encode())


def test_a_release_without_an_applier_says_nothing_of_one() -> None:
    assert b"applier" not in RELEASE.to_bytes()
    document = {**json.loads(RELEASE.to_bytes()), "applier": {}}
    with pytest.raises(DamagedError, match="image"):
        Release.parse(json.dumps(document).encode())


SHARED, OWN, ARCHIVE = (Descriptor("a/b", Digest.of(text), 1) for text in (b"shared", b"own", b"archive"))
API = Image(Reference.parse("registry.example.com/shop/api:1.0"), OWN, (OWN, SHARED))
PINNED = Image(Reference.parse(f"quay.io/tools/curl@{OWN.digest}"), OWN, (OWN, SHARED))
SHOP = Chart("shop", "1.0.0+build.7", "./charts/shop", ARCHIVE, ARCHIVE, (ARCHIVE,))
RELEASE = Release("shop", "1.0", 1, None, (), (API, PINNED), (SHOP,), (), {"airstore.yaml": OWN.digest})


def test_where_artifacts_live_at_a_site() -> None:
    assert (API.repository, API.tags) == ("shop/api", ("1.0",))
    assert (PINNED.repository, PINNED.tags) == ("tools/curl", ())
    assert (SHOP.repository, SHOP.tags) == ("charts/shop", ("1.0.0_build.7",))


def test_its_blobs() -> None:
    assert RELEASE.artifacts == (API, PINNED, SHOP)
    assert set(RELEASE.blobs()) == {OWN.digest, SHARED.digest, ARCHIVE.digest}
    assert list(RELEASE.users_of(SHARED.digest)) == [f"image {API.reference}", f"image {PINNED.reference}"]
    assert list(RELEASE.users_of(ARCHIVE.digest)) == ["chart shop 1.0.0+build.7"]


def test_lines_are_one_item_each_and_sorted() -> None:
    lines = RELEASE.to_bytes().decode().splitlines()
    assert ' "apiVersion": "airstore/v1",' in lines
    assert lines.index(' "charts": [') < lines.index(' "files": {') < lines.index(' "images": [')


def with_image(change: dict[str, Any]) -> bytes:
    document = json.loads(RELEASE.to_bytes())
    document["images"][0] |= change
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (replace(RELEASE, sequence=0).to_bytes(), "sequence: 0 is less than the minimum"),
        (RELEASE.to_bytes().replace(b'"sequence": 1', b'"sequence": 1.0'), "sequence: 1.0 is not of type"),
        (RELEASE.to_bytes().replace(b'"sequence": 1', b'"sequence": true'), "sequence: True is not of type"),
        (RELEASE.to_bytes().replace(b'"sequence": 1', b'"sequence": 1, "sequence": 2'), "duplicate key"),
        (replace(RELEASE, version="../1").to_bytes(), "version: '../1' is not a version"),
        (replace(RELEASE, files={"../x": OWN.digest}).to_bytes(), "files: '../x' is not a relative path"),
        (replace(RELEASE, files={"a/.GIT/hooks/x": OWN.digest}).to_bytes(), "is not a relative path"),
        (replace(RELEASE, files={"a\\b": OWN.digest}).to_bytes(), "is not a relative path"),
        (replace(RELEASE, files={"a\nb": OWN.digest}).to_bytes(), "is not a relative path"),
        (
            RELEASE.to_bytes().replace(b"airstore/v1", b"airstore/v9"),
            "apiVersion: 'airstore/v1' was expected",
        ),
        (with_image({"reference": "registry.example.com/shop/api"}), "is not an image reference"),
        (with_image({"reference": "nginx:1"}), "is not an image reference"),
        (with_image({"reference": "docker.io/nginx:1"}), "must be written 'docker.io/library/nginx:1'"),
        (with_image({"reference": "a.b/c__/d:1"}), "not an image reference"),
        (with_image({"blobs": []}), "blobs: [] should be non-empty"),
        (
            with_image({"root": {"mediaType": "a/b", "digest": "sha256:x", "size": 1}}),
            "root.digest: 'sha256:x' is",
        ),
        (
            with_image({"root": {"mediaType": "ab", "digest": OWN.digest, "size": 1}}),
            "mediaType: 'ab' is not a",
        ),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DamagedError) as fault:
        Release.parse(data, "release.json of 1.0")
    assert message in str(fault.value)
    assert str(fault.value).startswith("release.json of 1.0")
