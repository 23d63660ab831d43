"""Package databases on their own: rpm's headers, whiteouts, compressed layers, what cannot be read."""

from __future__ import annotations

import gzip
import io
import sqlite3
import struct
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_LAYER
from airstore.ops.review import rpm
from airstore.ops.review.databases import Package, apk, dpkg, npm, parser_of, python
from airstore.ops.review.packages import ChunkFile, Scan, scan_tar
from airstore.store.blobs import BlobStore, plain_chunks


def header(name: str, version: str, release: str, epoch: int | None = None) -> bytes:
    data, entries = b"", []
    for tag, text in ((1000, name), (1001, version), (1002, release)):
        entries.append(struct.pack(">IIII", tag, 6, len(data), 1))
        data += text.encode() + b"\0"
    if epoch is not None:
        data += bytes(-len(data) % 4)
        entries.append(struct.pack(">IIII", 1003, 4, len(data), 1))
        data += struct.pack(">I", epoch)
    return struct.pack(">II", len(entries), len(data)) + b"".join(entries) + data


def rpm_database(path: Path, *headers: bytes, wal: bool = False) -> bytes:
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(each,) for each in headers])
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("wal", [False, True])
def test_rpms_are_named_with_epoch_and_release(tmp_path: Path, wal: bool) -> None:
    headers = (header("bash", "5.1", "6.el9"), header("vim", "8.2", "1", 2), header("gpg-pubkey", "f", "1"))
    data = rpm_database(tmp_path / "rpmdb.sqlite", *headers, b"\0", headers[0][:20], wal=wal)
    assert list(rpm.installed(data)) == [("bash", "5.1-6.el9"), ("vim", "2:8.2-1")]


@given(st.binary(max_size=300))
def test_no_database_is_an_error_of_ours_and_nothing_else(data: bytes) -> None:
    with pytest.raises(DamagedError):
        list(rpm.installed(b"SQLite format 3\0" + data))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_by_every_parser(data: bytes) -> None:
    for parse in (dpkg, apk, python, npm):
        assert all(isinstance(found, Package) for found in parse(data))


def test_what_is_removed_or_only_configured_is_not_installed() -> None:
    text = b"Package: a\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: b\nVersion: 2\n"
    assert list(dpkg(text)) == [Package("dpkg", "b", "2")]


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("var/lib/dpkg/status", True),
        ("var/lib/dpkg/status.d/base", True),
        ("var/lib/dpkg/status.d/base.md5sums", False),
        ("var/lib/dpkg/status-old", False),
        ("usr/lib/apk/db/installed", True),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", True),
        ("app/node_modules/a/package.json", True),
        ("app/node_modules/@b/a/package.json", True),
        ("app/node_modules/a/lib/package.json", False),
        ("app/package.json", False),
        ("usr/lib/python3/dist-packages/a-1.egg-info/PKG-INFO", True),
        ("usr/lib/python3/dist-packages/a-1.dist-info/RECORD", False),
    ],
)
def test_which_files_are_databases(path: str, read: bool) -> None:
    assert bool(parser_of(path)) is read


def tar(*names: str, data: bytes = b"Package: a\nVersion: 1\n") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def scanned(data: bytes) -> Scan:
    return scan_tar(ChunkFile(iter([data[:700], data[700:]]), lambda _count: None), "x")


def test_what_is_not_read_is_said() -> None:
    scan = scanned(
        tar("var/lib/rpm/Packages", "usr/lib/sysimage/rpm/rpmdb.sqlite", "a/.wh..wh..opq", "a/.wh.b")
    )
    assert list(scan.unread) == ["var/lib/rpm/Packages", "usr/lib/sysimage/rpm/rpmdb.sqlite"]
    assert (scan.gone, scan.opaque) == ({"a/b"}, {"a"})
    with pytest.raises(DamagedError, match="is no tar"):
        scanned(b"no tar" * 1000)


def stored(directory: Path, data: bytes) -> bytes:
    digest = Digest.of(data)
    with BlobStore.create(directory) as store:
        with store.writer() as writer:
            writer.put(Descriptor(f"{OCI_LAYER}+gzip", digest, len(data)), lambda: [data])
        return b"".join(plain_chunks(store.reader(), digest))


PLAIN = tar(*(f"file-{n}" for n in range(50)), data=bytes(range(256)) * 40)


@pytest.mark.parametrize(
    "packed",
    [
        PLAIN,
        gzip.compress(PLAIN),
        gzip.compress(PLAIN[:1000]) + gzip.compress(PLAIN[1000:]) + bytes(100),
        zstandard.compress(PLAIN),
        zstandard.compress(PLAIN[:1000]) + zstandard.compress(PLAIN[1000:]),
    ],
    ids=["plain", "gzip", "gzip-members", "zstd", "zstd-frames"],
)
def test_a_layer_is_read_in_every_compression(tmp_path: Path, packed: bytes) -> None:
    assert stored(tmp_path, packed) == PLAIN


@pytest.mark.parametrize(
    "packed", [b"\x1f\x8b" + bytes(40), b"\x28\xb5\x2f\xfd" + b"\xff" * 40], ids=["gzip", "zstd"]
)
def test_a_layer_that_cannot_be_inflated_is_damaged(tmp_path: Path, packed: bytes) -> None:
    with pytest.raises(DamagedError, match="cannot be inflated"):
        stored(tmp_path, packed)
