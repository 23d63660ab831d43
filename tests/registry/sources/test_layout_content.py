"""What layouts hold, follow, list and lack, and what is none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.registry.source import REF_NAME
from airstore.registry.sources import layout as layout_module
from airstore.registry.sources import names as names_module
from airstore.registry.sources.graph import walk
from airstore.registry.sources.layout import OciLayout, window
from airstore.registry.sources.names import CONTAINERD_NAME, NameIndex
from scripts.images.fixture_images import LayoutWriter
from tests.registry.sources.test_layout import REFERENCE, resolved
from tests.support.registry import layouts


def test_digests_lead_to_children_but_not_to_unlisted_blobs(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    stray = layouts.image(LayoutWriter(tmp_path), "unlisted")
    assert resolved(tmp_path, f"example.com/any@{nodes['arm64']['digest']}") == nodes["arm64"]["digest"]
    with pytest.raises(NotFoundError, match="does not list"):
        resolved(tmp_path, f"example.com/any@{stray['digest']}")


def _symlinked_blob(path: Path) -> None:
    path.rename(path.parent.parent.parent / "elsewhere")
    path.symlink_to("../../elsewhere")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _linked_folder(path: Path) -> None:
    path.parent.rename(path.parent.parent / "real")
    path.parent.symlink_to("real")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("trick", [_symlinked_blob, _linked_folder])
def test_links_in_a_layout_are_followed_as_bazel_makes_them(
    tmp_path: Path, trick: Callable[[Path], None]
) -> None:
    nodes = layouts.write_full(tmp_path / "layout")
    path = layouts.blob_path(tmp_path / "layout", nodes["amd64"]["digest"])
    trick(path)
    with OciLayout.directory(tmp_path / "layout") as source:
        assert nodes["amd64"]["digest"] in walk(source, REFERENCE).documents
    overwritten = path.resolve()
    overwritten.chmod(0o644)
    overwritten.write_bytes(b"x" * overwritten.stat().st_size)
    with OciLayout.directory(tmp_path / "layout") as source, pytest.raises(DamagedError):
        walk(source, REFERENCE)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("trick", [_fifo, _folder, _device])
def test_only_plain_files_are_read(tmp_path: Path, trick: Callable[[Path], None]) -> None:
    nodes = layouts.write_full(tmp_path)
    trick(layouts.blob_path(tmp_path, nodes["amd64"]["digest"]))
    with OciLayout.directory(tmp_path) as source, pytest.raises(DamagedError):
        walk(source, REFERENCE)


def test_a_missing_blob_is_not_found(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    layouts.blob_path(tmp_path, nodes["arm64"]["digest"]).unlink()
    with OciLayout.directory(tmp_path) as source, pytest.raises(NotFoundError, match="has no blobs/sha256"):
        walk(source, REFERENCE)


def test_many_images_cost_each_name_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image used to look through the names of all of them, and so did whatever is attached to it."""
    writer, names = LayoutWriter(tmp_path), 40
    node = layouts.image(writer, "a")
    writer.finish()
    layouts.rename(tmp_path, {f"registry.example.com/shop/api-{n}:1.0": node for n in range(names)})
    parsed, subjects = list[str](), list[str]()
    parse, subject = names_module._parse_full, names_module.attachment_subject

    def counted(name: str) -> Reference | None:
        parsed.append(name)
        return parse(name)

    def asked(entry: Descriptor) -> tuple[Digest, str] | None:
        subjects.append(str(entry.digest))
        return subject(entry)

    monkeypatch.setattr(names_module, "_parse_full", counted)
    monkeypatch.setattr(layout_module, "attachment_subject", asked)
    with OciLayout.directory(tmp_path) as source:
        for n in range(names):
            reference = Reference.parse(f"registry.example.com/shop/api-{n}:1.0")
            source.referrers(reference, source.resolve(reference).digest)
    assert len(parsed) <= names
    assert len(subjects) <= 4 * names


def test_what_is_not_a_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot open"):
        OciLayout.directory(tmp_path / "nowhere")
    with pytest.raises(NotFoundError, match="no file oci-layout"):
        OciLayout.directory(tmp_path)
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(DamagedError, match="version"):
        OciLayout.directory(tmp_path)
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    with pytest.raises(NotFoundError, match=r"no index\.json"):
        OciLayout.directory(tmp_path)


@pytest.mark.parametrize("version", [None, "1.0.0", "1.1.0"])
def test_a_layout_is_what_skopeo_takes_for_one(version: str | None, tmp_path: Path, skopeo: Path) -> None:
    nodes = layouts.write_full(tmp_path / "in")
    said = tmp_path / "in" / "oci-layout"
    said.unlink()
    if version:
        said.write_text(json.dumps({"imageLayoutVersion": version}))
    assert resolved(tmp_path / "in", layouts.REFERENCE) == nodes["root"]["digest"]
    layouts.run(
        skopeo, "copy", "-q", "--all", f"oci:{tmp_path / 'in'}:{layouts.REFERENCE}", f"dir:{tmp_path / 'out'}"
    )


def test_what_is_attached_and_has_a_name_can_be_asked_for_by_it(tmp_path: Path, skopeo: Path) -> None:
    """It is attached all the same; an image of that name comes first."""
    writer = LayoutWriter(tmp_path / "in")
    child = layouts.image(writer, "the image", "amd64")
    attached = layouts.attachment(writer, child, "packages")
    writer.name(child, "example.com/shop/multi:1.0")
    writer.name(attached, "example.com/shop/packages:1.0")
    writer.name(attached, "example.com/shop/multi:1.0")
    writer.finish()
    layouts.run(
        skopeo,
        "copy",
        "-q",
        f"oci:{tmp_path / 'in'}:example.com/shop/packages:1.0",
        f"dir:{tmp_path / 'out'}",
    )
    assert resolved(tmp_path / "in", "example.com/shop/packages:1.0") == attached["digest"]
    assert resolved(tmp_path / "in", "example.com/shop/multi:1.0") == child["digest"]
    with OciLayout.directory(tmp_path / "in") as source:
        found = source.referrers(Reference.parse("example.com/shop/multi:1.0"), Digest(child["digest"]))
    assert {each.digest for each in found} == {attached["digest"]}


def test_a_read_of_a_damaged_blob_never_ends_well(tmp_path: Path) -> None:
    layouts.write_full(tmp_path, size=700_000)
    blob = max((tmp_path / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    digest = Digest(f"sha256:{blob.name}")
    with OciLayout.directory(tmp_path) as source:
        for stop in (None, 1):
            chunks = source.read(digest, 0, stop)
            with pytest.raises(DamagedError, match="other content"):
                list(chunks)


@given(data=st.lists(st.binary(max_size=20)), start=st.integers(0, 60), length=st.integers(0, 60))
def test_windows_are_slices(data: list[bytes], start: int, length: int) -> None:
    assert b"".join(window(iter(data), start, start + length)) == b"".join(data)[start : start + length]


@given(name=st.text(max_size=40), annotation=st.sampled_from([REF_NAME, CONTAINERD_NAME]))
def test_whatever_an_annotation_says_the_full_name_of_another_entry_counts_more(
    name: str, annotation: str
) -> None:
    odd = Descriptor(OCI_MANIFEST, Digest.of(b"odd"), 1, annotations={annotation: name})
    full = Descriptor(OCI_MANIFEST, Digest.of(b"full"), 1, annotations={annotation: layouts.REFERENCE})
    with suppress(NotFoundError):
        assert NameIndex([odd]).choose(REFERENCE, "here") == odd
    if name != layouts.REFERENCE:
        assert NameIndex([odd, full]).choose(REFERENCE, "here") == full


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


DESCRIPTORS = st.fixed_dictionaries(
    {},
    optional={
        "mediaType": JSON | st.just(OCI_MANIFEST),
        "digest": JSON | st.just("sha256:" + "ab" * 32),
        "size": JSON | st.just(2),
        "annotations": JSON | st.just({REF_NAME: "1.0"}),
        "platform": JSON,
        "data": JSON,
        "urls": JSON,
    },
)


@given(
    document=st.fixed_dictionaries({"schemaVersion": st.just(2), "manifests": st.lists(DESCRIPTORS | JSON)})
)
def test_any_index_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    directory = tmp_path_factory.mktemp("layout")
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps(document))
    try:
        with OciLayout.directory(directory) as source:
            source.referrers(REFERENCE, Digest("sha256:" + "cd" * 32))
            source.resolve(REFERENCE)
    except (UsageError, NotFoundError, DamagedError):
        return
    pytest.fail("nothing in such a layout can be resolved")
