"""Tars read in place, whoever wrote them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, UsageError
from airstore.core.limits import LIMITS
from airstore.registry.sources.archive import open_docker_archive
from airstore.registry.sources.files import TarFiles
from airstore.registry.sources.layout import OciLayout
from tests.support.registry import layouts

Part = tuple[tarfile.TarInfo, bytes]


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
