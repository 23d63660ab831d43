"""Tars read in place, and docker archives of every generation."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from fixture_images import LayoutWriter
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.core.limits import LIMITS
from airstore.registry.sources.archive import DockerArchive, open_docker_archive
from airstore.registry.sources.files import TarFiles
from airstore.registry.sources.graph import walk
from airstore.registry.sources.layout import OciLayout
from tests.support.registry import layouts

Part = tuple[tarfile.TarInfo, bytes]
REFERENCE = Reference.parse("example.com/shop/app:1.0")


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> Part:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data)
    return info, data


def write_tar(path: Path, parts: Iterable[Part], style: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=style) as tar:
        for info, data in parts:
            tar.addfile(info, io.BytesIO(data))
    return path


def content(path: Path) -> dict[str, bytes]:
    """What `TarFiles` finds under the names that tarfile finds."""
    files = TarFiles(path)
    with tarfile.open(path) as tar:
        names = [info.name for info in tar if info.isreg()]
    try:
        return {name: b"".join(files.stream(name)) for name in names}
    finally:
        files.close()


@given(
    files=st.dictionaries(
        st.text(
            st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=150
        ).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 250),
        st.binary(max_size=1200),
        max_size=5,
    ),
    style=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_tars_of_both_styles_read_as_tarfile_reads_them(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], style: int
) -> None:
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    write_tar(path, (member(name, data) for name, data in files.items()), style)
    assert content(path) == files


@given(
    cut=st.integers(0, 10240),
    flips=st.lists(st.tuples(st.integers(0, 10239), st.integers(1, 255)), max_size=3),
)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flips: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    write_tar(path, [member("n" * 120, b"x" * 700), member("link", kind=tarfile.SYMTYPE, target="n" * 120)])
    data = bytearray(path.read_bytes())
    for position, change in flips:
        data[position] ^= change
    path.write_bytes(data[:cut])
    try:
        files = TarFiles(path)
    except (UsageError, DamagedError):
        return
    if files.size("n" * 120) == 700:
        assert sum(map(len, files.stream("n" * 120))) == 700
    files.close()


HOSTILE: dict[str, tuple[list[Part], str]] = {
    "parent": ([member("../x", b"x")], "points out"),
    "absolute": ([member("/etc/x", b"x")], "points out"),
    "hidden parent": ([member("a/../../x", b"x")], "points out"),
    "symlink out": ([member("a", kind=tarfile.SYMTYPE, target="../x")], "points out"),
    "absolute symlink": ([member("a", kind=tarfile.SYMTYPE, target="/etc/passwd")], "points out"),
    "hard link out": ([member("a", kind=tarfile.LNKTYPE, target="../x")], "points out"),
    "twice": ([member("a", b"1"), member("a", b"2")], "two members"),
    "twice, spelled differently": ([member("a", b"1"), member("./a", b"2")], "two members"),
    "device": ([member("a", kind=tarfile.CHRTYPE)], "neither a file"),
    "fifo": ([member("a", kind=tarfile.FIFOTYPE)], "neither a file"),
    "sparse": ([member("a", kind=tarfile.GNUTYPE_SPARSE)], "neither a file"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_tars_are_refused(tmp_path: Path, case: str) -> None:
    parts, message = HOSTILE[case]
    with pytest.raises(DamagedError, match=message) as caught:
        TarFiles(write_tar(tmp_path / "a.tar", parts))
    assert "skopeo copy" in caught.value.hint  # the way out of whoever did not make it


def test_links_that_do_not_end_are_noticed(tmp_path: Path) -> None:
    loop = [member("a", kind=tarfile.SYMTYPE, target="b"), member("b", kind=tarfile.SYMTYPE, target="a")]
    files = TarFiles(write_tar(tmp_path / "a.tar", loop))
    with pytest.raises(DamagedError, match="do not end"):
        files.size("a")
    files.close()


def test_a_cut_tar_is_noticed_wherever_it_is_cut(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", [member("a", b"x" * 512), member("b", b"y" * 512)])
    whole = path.read_bytes()
    for length in (0, 100, 512, 700, 1024, 1500, 2048):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedError, match=r"ends at byte|cut off|end marker"):
            TarFiles(path)


def test_a_pax_size_beyond_the_file_and_a_huge_header_are_refused(tmp_path: Path) -> None:
    info, _ = member("a", b"")
    info.pax_headers = {"size": "99999999999"}
    with pytest.raises(DamagedError, match="cut off"):
        TarFiles(write_tar(tmp_path / "a.tar", [(info, b"")]))
    info, _ = member("a", b"")
    info.pax_headers = {"comment": "x" * LIMITS.tar_header}
    with pytest.raises(DamagedError, match="extended header of"):
        TarFiles(write_tar(tmp_path / "b.tar", [(info, b"")]))


@pytest.mark.parametrize("tool", ["gzip", "bzip2", "xz"])
def test_compressed_archives_are_refused_with_the_way_out(tmp_path: Path, tool: str) -> None:
    path = write_tar(tmp_path / "a.tar", [member("manifest.json", b"[]")])
    packed = tmp_path / "a.packed"
    packed.write_bytes(layouts.run(tool, "-c", path).stdout)
    for opened in (open_docker_archive, OciLayout.archive):
        with pytest.raises(UsageError, match="is compressed") as caught:
            opened(packed)
        assert f"{tool} -d" in caught.value.hint


def saved(directory: Path, skopeo: Path, tag: str = "example.com/shop/app:1.0") -> Path:
    """An image as skopeo saves it, as ``docker save`` does."""
    writer = LayoutWriter(directory / "layout")
    writer.name(layouts.image(writer, "content", size=300_000), "1.0")
    writer.finish()
    out = directory / "saved.tar"
    suffix = f":{tag}" if tag else ""
    layouts.run(skopeo, "copy", "-q", f"oci:{directory / 'layout'}:1.0", f"docker-archive:{out}{suffix}")
    return out


def test_skopeos_docker_archive_becomes_a_manifest(tmp_path: Path, skopeo: Path) -> None:
    path = saved(tmp_path, skopeo)
    with open_docker_archive(path) as source:
        graph = walk(source, REFERENCE)
        media_types = sorted(blob.media_type for blob in graph.blobs)
        assert media_types == [OCI_CONFIG, OCI_LAYER, OCI_MANIFEST]
        for blob in graph.blobs:
            assert Digest.of(b"".join(source.open(REFERENCE, blob))) == blob.digest
        layer = next(blob for blob in graph.blobs if blob.media_type == OCI_LAYER)
        assert layer.digest == layouts.layer("content", 300_000)[1]
    with open_docker_archive(path) as again:
        assert walk(again, REFERENCE) == graph


def test_the_made_manifest_is_one_that_skopeo_accepts(tmp_path: Path, skopeo: Path) -> None:
    path = saved(tmp_path, skopeo)
    with open_docker_archive(path) as source:
        graph = walk(source, REFERENCE)
        writer = LayoutWriter(tmp_path / "out")
        for blob in graph.blobs:
            entry = writer.blob(b"".join(source.open(REFERENCE, blob)), blob.media_type)
            if blob.digest == graph.root.digest:
                writer.name(entry, "1.0")
        writer.finish()
    layouts.run(skopeo, "copy", "-q", f"oci:{tmp_path / 'out'}:1.0", f"dir:{tmp_path / 'dir'}")
    assert Digest.of((tmp_path / "dir" / "manifest.json").read_bytes()) == graph.root.digest


def test_an_archive_without_tags_serves_what_is_mapped_to_it(tmp_path: Path, skopeo: Path) -> None:
    with open_docker_archive(saved(tmp_path, skopeo, tag="")) as source:
        assert source.resolve(REFERENCE) == source.resolve(Reference.parse("other.com/x:2"))


def test_tags_and_digests_an_archive_does_not_have(tmp_path: Path, skopeo: Path) -> None:
    with open_docker_archive(saved(tmp_path, skopeo)) as source:
        with pytest.raises(NotFoundError) as caught:
            source.resolve(Reference.parse("example.com/shop/app:2.0"))
        assert caught.value.hint == "it has: example.com/shop/app:1.0"
        pinned = f"example.com/shop/app:1.0@sha256:{'ab' * 32}"
        with pytest.raises(NotFoundError) as other:
            source.resolve(Reference.parse(pinned))
        assert "does not keep the registry's manifest" in other.value.hint
        made = source.resolve(REFERENCE)
        assert source.resolve(Reference.parse(f"example.com/shop/app:1.0@{made.digest}")) == made


def legacy(layers: list[Part], paths: list[str], plain: list[bytes]) -> list[Part]:
    """An archive as docker wrote it before it took over the OCI layout."""
    diff_ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in plain]
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    listing = [{"Config": "config.json", "RepoTags": ["example.com/shop/app:1.0"], "Layers": paths}]
    files = [member("config.json", json.dumps(config).encode())]
    return [*layers, *files, member("manifest.json", json.dumps(listing).encode())]


def test_an_archive_may_name_its_files_as_tar_does(tmp_path: Path, skopeo: Path) -> None:
    plain = tmp_path / "plain.tar"
    write_tar(plain, [member("a", b"1")])
    layer = plain.read_bytes()
    listing, config = "manifest.json", legacy([], ["./x.tar"], [layer])[0]
    document = {"Config": "./config.json", "RepoTags": ["example.com/shop/app:1.0"], "Layers": ["./x.tar"]}
    parts = [config, member("x.tar", layer), member(listing, json.dumps([document]).encode())]
    path = write_tar(tmp_path / "a.tar", parts)
    layouts.run(skopeo, "copy", "-q", f"docker-archive:{path}", f"dir:{tmp_path / 'out'}")
    with open_docker_archive(path) as source:
        (found,) = (blob for blob in walk(source, REFERENCE).blobs if blob.media_type == OCI_LAYER)
        assert b"".join(source.open(REFERENCE, found)) == layer


def test_old_archives_link_equal_layers(tmp_path: Path) -> None:
    layers = [
        member("one", kind=tarfile.DIRTYPE),
        member("one/layer.tar", b"first"),
        member("two/layer.tar", kind=tarfile.SYMTYPE, target="../one/layer.tar"),
    ]
    parts = legacy(layers, ["one/layer.tar", "two/layer.tar"], [b"first", b"first"])
    with open_docker_archive(write_tar(tmp_path / "a.tar", parts)) as source:
        (layer,) = (blob for blob in walk(source, REFERENCE).blobs if blob.media_type == OCI_LAYER)
        assert b"".join(source.open(REFERENCE, layer)) == b"first"


def test_compressed_layers_keep_their_bytes(tmp_path: Path) -> None:
    plain = b"layer" * 200_000
    packed = gzip.compress(plain[:400_000], mtime=0) + gzip.compress(plain[400_000:], mtime=0)
    parts = legacy([member("l.tar.gz", packed)], ["l.tar.gz"], [plain])
    with open_docker_archive(write_tar(tmp_path / "a.tar", parts)) as source:
        layer = next(b for b in walk(source, REFERENCE).blobs if "layer" in b.media_type)
        assert layer.media_type == f"{OCI_LAYER}+gzip"
        assert b"".join(source.open(REFERENCE, layer)) == packed


def _without(key: str) -> Callable[[], list[Part]]:
    def make() -> list[Part]:
        parts = legacy([member("l", b"x")], ["l"], [b"x"])
        return [part for part in parts if part[0].name != key]

    return make


def _listing(document: object) -> Callable[[], list[Part]]:
    return lambda: [member("manifest.json", json.dumps(document).encode())]


PACKED = gzip.compress(b"x" * 100, mtime=0)
BROKEN: dict[str, tuple[Callable[[], list[Part]], str]] = {
    "no manifest.json": (_without("manifest.json"), "has no manifest.json"),
    "no config": (_without("config.json"), "has no config.json"),
    "no layer": (_without("l"), "has no l"),
    "other layer": (lambda: legacy([member("l", b"y")], ["l"], [b"x"]), "is not the sha256"),
    "layer left out": (lambda: legacy([], [], [b"x"]), "0 layers where its config has 1"),
    "cut gzip": (lambda: legacy([member("l", PACKED[:-4])], ["l"], [b"x" * 100]), "is cut off"),
    "bad gzip": (lambda: legacy([member("l", PACKED[:-8] + bytes(8))], ["l"], [b"x"]), "not intact gzip"),
    "an object": (_listing({}), "must be an array"),
    "a number for tags": (_listing([{"Config": "c", "RepoTags": 1}]), "must be strings"),
    "bad tag": (_listing([{"Config": "c", "RepoTags": ["<none>:<none>"]}]), "has no c"),
    "no rootfs": (
        lambda: [
            member("c", b"{}"),
            *_listing([{"Config": "c", "RepoTags": ["example.com/shop/app:1.0"]}])(),
        ],
        "no rootfs.diff_ids",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_archives_name_their_fault(tmp_path: Path, case: str) -> None:
    make, message = BROKEN[case]
    path = write_tar(tmp_path / "a.tar", make())
    with pytest.raises((DamagedError, NotFoundError), match=message), open_docker_archive(path) as source:
        walk(source, REFERENCE)


def test_an_embedded_oci_layout_is_preferred(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path / "d")
    (tmp_path / "d" / "manifest.json").write_text("[]")
    with open_docker_archive(layouts.pack(tmp_path / "d", tmp_path / "a.tar")) as source:
        assert not isinstance(source, DockerArchive)
        assert source.resolve(Reference.parse(layouts.REFERENCE)).digest == nodes["root"]["digest"]
