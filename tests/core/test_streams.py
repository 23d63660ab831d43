"""What crosses into the cluster: frames with a digest, and directories as tar."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import AirstoreError, DamagedError, IncompleteError, StorageError, UsageError
from airstore.core.streams.framing import FRAME, Unframed, framed
from airstore.core.streams.treestream import files_of, tar_chunks, unpack


def read(data: bytes) -> bytes:
    return io.BufferedReader(Unframed(io.BytesIO(data))).read()


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_what_was_sent_arrives(chunks: list[bytes]) -> None:
    assert read(b"".join(framed(chunks))) == b"".join(chunks)


def test_large_chunks_are_cut_into_frames() -> None:
    chunk = os.urandom(2 * FRAME + 1)
    frames = list(framed([chunk]))
    assert max(map(len, frames)) == FRAME + 4
    assert read(b"".join(frames)) == chunk


@given(st.binary(min_size=1, max_size=60), st.data())
def test_nothing_else_arrives(content: bytes, draw: st.DataObject) -> None:
    data = b"".join(framed([content[:20], content[20:]]))
    cut = draw.draw(st.integers(0, len(data) - 1))
    with pytest.raises(IncompleteError):
        read(data[:cut])
    damaged = bytearray(data)
    damaged[cut] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises((DamagedError, IncompleteError)):
        read(bytes(damaged))


def test_what_follows_the_end_is_not_read() -> None:
    source = io.BytesIO(b"".join(framed([b"a"])) + b"more")
    assert io.BufferedReader(Unframed(source)).read() == b"a"
    assert source.read() == b"more"


def tree(base: Path) -> Path:
    directory = base / "tree"
    (directory / "deep" / "empty").mkdir(parents=True)
    (directory / "deep" / "large").write_bytes(os.urandom(3 << 20))
    (directory / "empty").touch()
    (directory / "secret").write_text("word")
    (directory / "secret").chmod(0o600)
    (directory / "left-out.lock").touch()
    return directory


def sent(directory: Path) -> bytes:
    files = files_of(directory, lambda path: path.suffix != ".lock")
    return b"".join(tar_chunks(directory, files, lambda _count: None))


def content(directory: Path) -> dict[str, tuple[int, bytes]]:
    paths = {str(path.relative_to(directory)): path for path in directory.rglob("*")}
    return {
        name: (path.stat().st_mode & 0o777, b"" if path.is_dir() else path.read_bytes())
        for name, path in paths.items()
        if not name.endswith(".lock")
    }


def test_a_directory_arrives_as_it_was(tmp_path: Path) -> None:
    directory = tree(tmp_path)
    unpack(io.BytesIO(sent(directory)), tmp_path / "arrived")
    assert content(tmp_path / "arrived") == content(directory)
    assert not list((tmp_path / "arrived").rglob("*.lock"))


def test_stock_tar_reads_it_too(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(sent(tree(tmp_path)))) as tar:
        assert sorted(tar.getnames()) == ["deep", "deep/empty", "deep/large", "empty", "secret"]


def test_links_and_pipes_are_not_sent(tmp_path: Path) -> None:
    directory = tree(tmp_path)
    (directory / "link").symlink_to("secret")
    with pytest.raises(UsageError, match="link is neither"):
        files_of(directory, lambda _path: True)
    files_of(directory, lambda path: path.name != "link")
    os.mkfifo(directory / "deep" / "pipe")
    with pytest.raises(UsageError, match="pipe is neither"):
        files_of(directory, lambda path: path.name != "link")


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def named(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b"x" if kind == tarfile.REGTYPE else b""


@pytest.mark.parametrize(
    "members",
    [
        [named("../outside")],
        [named("/outside")],
        [named("a/../../outside")],
        [named("a", tarfile.SYMTYPE, "/etc"), named("a/outside")],
        [named("a", tarfile.LNKTYPE, "/etc/hostname")],
        [named("a", tarfile.FIFOTYPE)],
        [named("a", tarfile.CHRTYPE)],
    ],
)
def test_nothing_leads_outside(members: Iterable[tuple[tarfile.TarInfo, bytes]], tmp_path: Path) -> None:
    target = tmp_path / "in" / "arrived"
    target.parent.mkdir()
    with pytest.raises(DamagedError, match="no place"):
        unpack(io.BytesIO(packed(*members)), target)
    assert not list(tmp_path.rglob("outside*"))


def test_a_file_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        unpack(io.BytesIO(packed(named("a"), named("a"))), tmp_path / "arrived")


@given(st.binary(max_size=2000))
def test_anything_else_is_refused_or_empty(data: bytes) -> None:

    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "arrived")
        try:
            unpack(io.BytesIO(data), target)
        except AirstoreError:
            return
        assert not list(target.iterdir())
