import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor, Platform
from airstore.core.image.digest import Digest

DIGEST = str(Digest.of(b"x"))
CONFIG = {"mediaType": oci.OCI_CONFIG, "digest": DIGEST, "size": 1}
LAYER = {"mediaType": f"{oci.OCI_LAYER}+gzip", "digest": DIGEST, "size": 1}
CHILD = {
    "mediaType": oci.OCI_MANIFEST,
    "digest": DIGEST,
    "size": 1,
    "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
}
MANIFEST = {"schemaVersion": 2, "mediaType": oci.OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
INDEX = {"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": [CHILD]}


def parse(document: Any, media_type: str = oci.OCI_MANIFEST) -> oci.Manifest:
    return oci.parse(json.dumps(document).encode(), media_type, "the manifest")


def test_a_manifest() -> None:
    manifest = parse({**MANIFEST, "subject": CHILD, "artifactType": "a/b", "annotations": {"k": "v"}})
    assert [blob.media_type for blob in manifest.blobs] == [oci.OCI_CONFIG, f"{oci.OCI_LAYER}+gzip"]
    assert manifest.subject is not None
    assert (manifest.artifact_type, dict(manifest.annotations)) == ("a/b", {"k": "v"})


def test_an_index() -> None:
    index = parse(INDEX, oci.OCI_INDEX)
    assert index.blobs == ()
    assert [child.platform for child in index.manifests] == [Platform("linux", "arm", "v7")]


@pytest.mark.parametrize("media_type", [oci.OCI_MANIFEST, oci.DOCKER_MANIFEST])
def test_a_document_may_leave_its_type_to_the_registry(media_type: str) -> None:
    untyped = {key: value for key, value in MANIFEST.items() if key != "mediaType"}
    assert parse(untyped, media_type).media_type == media_type


def test_what_a_document_says_of_itself_counts_within_its_family() -> None:
    assert parse({**MANIFEST, "mediaType": oci.DOCKER_MANIFEST}).media_type == oci.DOCKER_MANIFEST


# CVE-2021-41190: one document that is a manifest to one reader and an index to another.
@pytest.mark.parametrize("media_type", [oci.OCI_MANIFEST, oci.OCI_INDEX])
@pytest.mark.parametrize("extra", [{"layers": []}, {"config": CONFIG}, {"layers": [LAYER], "config": CONFIG}])
def test_a_document_that_is_both_is_refused(media_type: str, extra: dict[str, Any]) -> None:
    with pytest.raises(DamagedError, match="both an index and a manifest"):
        parse({"schemaVersion": 2, "manifests": [CHILD], **extra}, media_type)


@pytest.mark.parametrize(
    "key",
    [
        "Layers",
        "LAYERS",
        "layer\u017f",
        "Manifests",
        "manifestS",
        "Config",
        "mediatype",
        "MediaType",
        "SUBJECT",
    ],
)
def test_fields_that_only_go_would_read_are_refused(key: str) -> None:
    with pytest.raises(DamagedError, match="ambiguous field"):
        parse({**MANIFEST, key: []})


@pytest.mark.parametrize(
    ("document", "media_type", "message"),
    [
        (MANIFEST, oci.OCI_INDEX, "says it is"),
        ({**MANIFEST, "mediaType": oci.DOCKER_INDEX}, oci.OCI_MANIFEST, "says it is"),
        ({**MANIFEST, "mediaType": 7}, oci.OCI_MANIFEST, "says it is 7"),
        ({"schemaVersion": 2, "manifests": []}, oci.OCI_MANIFEST, "has not the fields"),
        ({"schemaVersion": 2, "config": CONFIG, "layers": []}, oci.OCI_INDEX, "has not the fields"),
        ({**MANIFEST, "mediaType": "text/plain"}, "text/plain", "unsupported media type"),
        ({**MANIFEST, "schemaVersion": 1}, oci.OCI_MANIFEST, "schemaVersion"),
        ({"schemaVersion": 2, "layers": []}, oci.OCI_MANIFEST, "a descriptor must be an object"),
        ({**MANIFEST, "layers": {"0": LAYER}}, oci.OCI_MANIFEST, "layers must be an array"),
        ({**MANIFEST, "annotations": ["k"]}, oci.OCI_MANIFEST, "annotations"),
        ({**MANIFEST, "annotations": {"k": 1}}, oci.OCI_MANIFEST, "annotations"),
        ([MANIFEST], oci.OCI_MANIFEST, "must be a JSON object"),
    ],
)
def test_what_is_not_what_it_says_is_refused(document: Any, media_type: str, message: str) -> None:
    with pytest.raises(DamagedError, match=f"the manifest.*{message}"):
        parse(document, media_type)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"digest": "sha512:" + "0" * 128}, "not a sha256 digest"),
        ({"digest": None}, "needs mediaType and digest"),
        ({"size": -1}, "whole number"),
        ({"size": 1.0}, "whole number"),
        ({"size": True}, "whole number"),
        ({"size": "1"}, "whole number"),
        ({"annotations": []}, "annotations"),
        ({"data": "eQ=="}, "data"),
    ],
)
def test_a_bad_descriptor_names_its_document(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DamagedError, match=f"the manifest: .*{message}"):
        parse({**MANIFEST, "layers": [{**LAYER, **change}]})


def test_duplicate_keys_are_refused() -> None:
    text = json.dumps(MANIFEST).replace('"layers"', '"layers": [], "layers"')
    with pytest.raises(DamagedError, match="duplicate key 'layers'"):
        oci.parse(text.encode(), oci.OCI_MANIFEST, "the manifest")


def test_a_manifest_beyond_the_registries_limit_is_refused() -> None:
    with pytest.raises(DamagedError, match="at most"):
        parse({**MANIFEST, "annotations": {"k": "v" * (5 << 20)}})


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        (MANIFEST, oci.OCI_MANIFEST),
        ({"manifests": []}, oci.OCI_INDEX),
        ({"layers": []}, oci.OCI_MANIFEST),
        ({"mediaType": oci.DOCKER_INDEX}, oci.DOCKER_INDEX),
    ],
)
def test_the_type_of_an_untyped_document(document: Any, media_type: str) -> None:
    assert oci.media_type_of(json.dumps(document).encode(), "it") == media_type


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_.-", min_size=1, max_size=12)
platforms = st.builds(Platform, names, names, names | st.just(""))
descriptors = st.builds(
    Descriptor,
    media_type=names,
    digest=st.binary().map(Digest.of),
    size=st.integers(0, 2**60),
    platform=platforms | st.none(),
    artifact_type=names | st.just(""),
    annotations=st.dictionaries(st.text(), st.text(), max_size=3),
)


@given(descriptors)
def test_descriptors_survive_their_json(descriptor: Descriptor) -> None:
    document = json.loads(json.dumps(descriptor.to_json()))
    again = Descriptor.parse(document, "it")
    assert again == descriptor
    assert again.to_json() == descriptor.to_json()  # the fields that equality leaves out


@given(platforms)
def test_platforms_survive_their_text(platform: Platform) -> None:
    assert Platform.parse(str(platform)) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux//v7", "a/b/c/d"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(DamagedError):
        Platform.parse(text)


def test_a_platform_without_variant_asks_for_any() -> None:
    arm = Platform.parse("linux/arm/v7")
    assert arm.matches(Platform.parse("linux/arm"))
    assert arm.matches(arm)
    assert not arm.matches(Platform.parse("linux/arm/v6"))
    assert Platform.parse("linux/arm").matches(arm)  # what ``arm`` alone means to containerd
    assert not Platform.parse("linux/arm").matches(Platform.parse("linux/arm/v6"))
    assert not arm.matches(Platform.parse("linux/amd64"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
fields = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "artifactType", "annotations"]
)


@given(st.dictionaries(fields, json_values), st.sampled_from(sorted(oci.DOCUMENTS)))
def test_any_other_json_is_read_or_refused(change: dict[str, Any], media_type: str) -> None:
    try:
        manifest = parse({**MANIFEST, **change}, media_type)
    except DamagedError:
        return
    assert (manifest.media_type in oci.INDEXES) == (media_type in oci.INDEXES)
