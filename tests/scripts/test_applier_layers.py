"""Layers of the applier's image: the same bytes from the same files, nothing that raises rights, a cache."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from scripts.images.applier_layers import Cache, pack


def tree(base: Path) -> Path:
    directory = base / "root"
    (directory / "usr" / "bin").mkdir(parents=True)
    (directory / "usr" / "bin" / "su").write_text("raises")
    (directory / "usr" / "bin" / "su").chmod(0o4755)
    (directory / "usr" / "bin" / "wall").write_text("group")
    (directory / "usr" / "bin" / "wall").chmod(0o2755)
    (directory / "usr" / "bin" / "same").hardlink_to(directory / "usr" / "bin" / "su")
    (directory / "bin").symlink_to("usr/bin")
    (directory / "tmp").mkdir()
    (directory / "tmp").chmod(0o1777)
    os.mkfifo(directory / "pipe")
    return directory


def test_a_layer_has_the_files_and_no_bits_that_raise_rights(tmp_path: Path) -> None:
    pack(tree(tmp_path), tmp_path / "layer")
    with tarfile.open(tmp_path / "layer") as tar:
        found = {member.name: member for member in tar}
    assert list(found) == sorted(found)
    assert set(found) == {"bin", "tmp", "usr", "usr/bin", "usr/bin/same", "usr/bin/su", "usr/bin/wall"}
    assert {name: found[name].mode for name in ("usr/bin/same", "usr/bin/wall", "tmp")} == {
        "usr/bin/same": 0o755,
        "usr/bin/wall": 0o755,
        "tmp": 0o1777,
    }
    assert found["bin"].linkname == "usr/bin"
    assert found["usr/bin/su"].islnk()


def test_the_same_files_make_the_same_bytes_and_the_plain_digest_is_told(tmp_path: Path) -> None:
    directory = tree(tmp_path)
    first = pack(directory, tmp_path / "first")
    os.utime(directory / "usr" / "bin" / "wall", (1, 1))
    assert pack(directory, tmp_path / "second") == first
    data = (tmp_path / "first").read_bytes()
    assert (tmp_path / "second").read_bytes() == data
    assert first == f"sha256:{hashlib.sha256(gzip.decompress(data)).hexdigest()}"


def test_a_layer_is_made_once_and_again_when_what_it_is_made_of_changes(tmp_path: Path) -> None:
    made: list[Path] = []

    def fill(scratch: Path) -> Path:
        scratch.mkdir()
        (scratch / "file").write_text(str(len(made)))
        made.append(scratch)
        return scratch

    cache = Cache(tmp_path / "cache")
    first = cache.layer("part", [b"a", b"b"], fill)
    assert cache.layer("part", [b"a", b"b"], fill) == first
    assert cache.layer("part", [b"ab", b""], fill) != first
    assert len(made) == 2
    assert not any(path.exists() for path in made)


def test_a_layer_that_cannot_be_made_is_not_kept(tmp_path: Path) -> None:
    def fail(scratch: Path) -> Path:
        scratch.mkdir()
        raise OSError("no network")

    cache = Cache(tmp_path / "cache")
    for _ in range(2):
        with pytest.raises(OSError, match="no network"):
            cache.layer("part", [b"a"], fail)
    assert list((tmp_path / "cache").iterdir()) == []
