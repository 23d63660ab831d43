"""Deltas between stores: what a site has, what a delta carries, and the blob that both make, bit for bit."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, IncompleteError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.progress import QUIET
from airstore.media.delta.effort import Effort
from airstore.media.delta.format.layout import (
    HEAD,
    Stream,
    StreamSegment,
    check_segments,
    read_head,
    write_head,
)
from airstore.media.delta.format.packing import Method, unpack
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.format.table import decode, encode
from airstore.media.delta.reader import Delta
from airstore.media.delta.writer import Task, prepare
from airstore.store.blobs import BlobStore, Staging, compress_solid, solid_chunks
from tests.media.delta.test_delta import text

pytestmark = pytest.mark.slow


def layer(files: Mapping[str, bytes], mtime: int = 1_700_000_000, level: int = 6) -> bytes:
    """A gzip layer as build tools write it: a tar, every file with this time."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as made:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), mtime
            made.addfile(entry, io.BytesIO(data))
    return gzip.compress(file.getvalue(), level, mtime=0)


FILES = {f"usr/lib/app-1.0/{name}.py": text(number) for number, name in enumerate("abcdefgh")}
OLD = layer(FILES)
CHANGED = {**FILES, "usr/lib/app-1.0/b.py": FILES["usr/lib/app-1.0/b.py"].replace(b"self_3", b"itself")}
NEW = layer({path.replace("1.0", "1.1"): data for path, data in CHANGED.items()}, 1_800_000_000)


@dataclass
class Pair:
    """A publisher's store and a site's.

    Attributes:
        directory: for the delta.
    """

    publisher: BlobStore
    site: BlobStore
    directory: Path

    def put(self, store: BlobStore, *blobs: bytes) -> list[Digest]:
        with store.writer() as writer:
            for blob in blobs:
                described = Descriptor("", Digest.of(blob), len(blob))
                writer.put(described, lambda blob=blob: [blob])  # type: ignore[misc]
        return [Digest.of(blob) for blob in blobs]

    def write(self, new: list[bytes], old: list[bytes], effort: Effort = Effort.FAST) -> Path:
        """A delta from some blobs to others."""
        self.put(self.publisher, *old, *new)
        task = Task([Digest.of(blob) for blob in new], [Digest.of(blob) for blob in old], {})
        out = self.directory / "a.delta"
        out.unlink(missing_ok=True)
        prepare(self.publisher, task).write(out, effort, QUIET)
        return out

    def take_in(self, path: Path, *blobs: bytes) -> None:
        """Apply a delta at the site, verify it, and make it visible."""
        with Staging(self.site, []) as staging:
            delta = Delta(path, staging.reader)
            with staging.writer() as writer:
                delta.restore(writer, delta.blobs, self.directory, lambda _count: None)
            staging.verify(delta.blobs, lambda _count: None)
            staging.commit()
        for blob in blobs:
            assert b"".join(self.site.read(Digest.of(blob))) == blob


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with BlobStore.create(tmp_path / "publisher") as publisher, BlobStore.create(tmp_path / "site") as site:
        yield Pair(publisher, site, tmp_path)


@pytest.mark.parametrize("effort", list(Effort))
def test_a_rebuilt_layer_travels_as_its_change(pair: Pair, effort: Effort) -> None:
    path = pair.write([NEW], [OLD], effort)
    assert path.stat().st_size < len(NEW) // 20
    pair.put(pair.site, OLD)
    pair.take_in(path, NEW)


def test_what_stays_is_told_from_what_is_gone(pair: Pair) -> None:
    """A blob that the release keeps, a file that moved within it, and one that is not there any more."""
    stays, moved, gone = b"stays" * 1000, b"moved" * 1000, b"gone" * 1000
    kept, old = layer({"a": stays}), layer({"b": moved, "c": gone})
    new = layer({"elsewhere": moved, "d": b"new" * 30_000})  # enough that all of the base is looked into
    pair.put(pair.publisher, kept, old, new)
    digests = [Digest.of(blob) for blob in (kept, old)]
    task = Task([Digest.of(new)], digests, {}, kept=frozenset(digests[:1]))
    found = prepare(pair.publisher, task).found
    names = [each.file.path.partition("\0")[0] for each in found.olds]
    assert {names[n] for n in found.kept} & {"a", "b", "c"} == {"a", "b"}


def test_all_that_a_release_has_travels(pair: Pair) -> None:
    """Documents, a layer that is not gzip, one that cannot be opened, an empty tar, and one that is gone."""
    noise = random.Random(3).randbytes(70_000)  # noqa: S311 - the same each time
    old = [OLD, b'{"config": 1, "created": "2026"}', gzip.decompress(OLD), layer({}), noise[:50_000]]
    broken = OLD[:-9] + bytes([OLD[-9] ^ 1]) + OLD[-8:]
    config = b'{"config": 1, "created": "2027"}'
    new = [NEW, config, gzip.decompress(NEW), broken, noise, layer({"a": b"x"}), layer({}, level=9)]
    path = pair.write(new, old)
    pair.put(pair.site, *old)
    pair.take_in(path, *new)


@pytest.mark.parametrize("lines", [20, 3000])
def test_what_has_a_base_is_a_patch_however_little_it_is(pair: Pair, lines: int) -> None:
    old = text(1, lines)
    new = old.replace(b"self_3", b"itself")
    path = pair.write([new], [old], Effort.NORMAL)
    assert [piece.kind for piece in Delta(path, pair.publisher.reader).table.pieces] == [PieceKind.PATCH]
    pair.put(pair.site, old)
    pair.take_in(path, new)


def test_what_shares_nothing_travels_whole(pair: Pair) -> None:
    noise = random.Random(4).randbytes(200_000)  # noqa: S311 - the same each time
    fresh = layer({"noise": noise})
    path = pair.write([fresh], [OLD])
    assert path.stat().st_size < len(fresh) + 2000
    pair.put(pair.site, OLD)
    pair.take_in(path, fresh)


def test_files_larger_than_a_piece_are_cut(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airstore.store.exchange.outline.PIECE", 2 << 18)
    large = random.Random(5).randbytes(7 << 18)  # noqa: S311 - the same each time
    changed = large[: 3 << 18] + b"here" + large[3 << 18 :]
    old, new = layer({"large": large}, level=1), layer({"large": changed}, level=1)
    path = pair.write([new], [old])
    pair.put(pair.site, old)
    pair.take_in(path, new)


def test_a_base_that_is_not_there_is_named(pair: Pair) -> None:
    path = pair.write([NEW], [OLD])
    with pytest.raises(IncompleteError, match=str(Digest.of(OLD))):
        pair.take_in(path)


def test_a_base_that_the_site_holds_otherwise_is_opened_first(pair: Pair) -> None:
    path = pair.write([NEW], [OLD])
    pair.put(pair.site, OLD)
    asked: list[Collection[Digest]] = []

    def open_held(bases: Collection[Digest]) -> bool:
        asked.append(bases)
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airstore.media.delta.reader.outline", lambda *_: [])
        with pytest.raises(IncompleteError, match="which is held in"):
            Delta(path, pair.site.reader, open_held).resolve([Digest.of(NEW)])
    assert asked == [{Digest.of(OLD)}]


def streams(path: Path) -> list[bytes]:
    """The plain bytes of a delta's table, as if all was compressed by zstd, and of its streams."""
    with path.open("rb") as file:
        head = read_head(file.read(HEAD))
        file.seek(head.size)
        table = decode(b"".join(solid_chunks(file, *head.table)), head)
        by_zstd = [segment._replace(method=Method.ZSTD) for segment in table.segments]
        plain = [encode(replace(table, segments=tuple(by_zstd)))]
        return plain + [b"".join(unpack(file, each.method, *each[1:3])) for each in table.segments]


def packed(table: bytes, *plain: bytes) -> bytes:
    """A delta of these streams, whatever they say; a table that can be read is told where they are now."""
    frames = [compress_solid([each], 1) for each in plain]
    with suppress(DamagedError):
        read = decode(table, read_head(write_head(0, 0)))
        present = [segment.stream for segment in read.segments]
        segments = map(StreamSegment, present, map(len, frames), map(len, plain))
        table = encode(replace(read, segments=tuple(segments)))
    compressed = compress_solid([table], 1)
    return write_head(len(compressed), len(table)) + compressed + b"".join(frames)


def damage_of(plain: Sequence[bytes]) -> tuple[st.SearchStrategy[Any], ...]:
    """Which stream, where in it, and which bits."""
    return st.integers(0, len(plain) - 1), st.floats(0, 1, exclude_max=True), st.integers(1, 255)


def restore_damaged(pair: Pair, path: Path, plain: Sequence[bytes], damage: tuple[int, float, int]) -> None:
    """Restore a delta of streams one of which is damaged: an error, or blobs that are what they should be."""
    number, where, mask = damage
    damaged = bytearray(plain[number])
    damaged[int(where * len(damaged))] ^= mask
    path.write_bytes(packed(*(bytes(damaged) if n == number else each for n, each in enumerate(plain))))
    restore(pair, path)


def restore(pair: Pair, path: Path) -> None:
    """Restore what may be damaged: an error, or blobs that are what they should be; nothing is kept."""
    with suppress(DamagedError, IncompleteError), Staging(pair.site, []) as staging:
        delta = Delta(path, staging.reader)
        with staging.writer() as writer:
            delta.restore(writer, delta.blobs, pair.directory, lambda _count: None)
        staging.verify(delta.blobs, lambda _count: None)
        for digest in delta.blobs:
            assert Digest.of(b"".join(staging.read(digest))) == digest


def test_a_hostile_delta_changes_nothing(pair: Pair) -> None:
    """Every stream damaged before it was compressed and signed: an error, or the right blob."""
    path = pair.write([NEW], [OLD])
    pair.put(pair.site, OLD)
    plain = streams(path)
    held = pair.site.size(Digest.of(NEW))
    assert held is None

    @given(*damage_of(plain))
    def tried(number: int, where: float, mask: int) -> None:
        restore_damaged(pair, path, plain, (number, where, mask))
        assert pair.site.size(Digest.of(NEW)) is None

    tried()


@pytest.mark.parametrize("cut", [0, 7, HEAD - 1, HEAD, HEAD + 5, -1])
def test_a_delta_that_is_cut_off_is_an_error(pair: Pair, cut: int) -> None:
    path = pair.write([NEW], [OLD])
    pair.put(pair.site, OLD)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DamagedError):
        Delta(path, pair.site.reader)


def test_what_a_head_says_is_bounded() -> None:
    with pytest.raises(DamagedError, match="more bytes than are believed"):
        read_head(write_head(0, 1 << 62))
    head = read_head(write_head(0, 0))
    check_segments(head, [StreamSegment(Stream.WHOLE, 5, 5)], head.size + 5)
    for stored, plain in ((0, 1 << 62), (1, 5)):
        with pytest.raises(DamagedError, match=r"a delta's head says|does not end"):
            check_segments(head, [StreamSegment(Stream.WHOLE, stored, plain)], head.size)
    for version in (0, 6):
        with pytest.raises(DamagedError, match="not a delta that this airstore can read"):
            read_head(b"AIRDELT" + bytes([version]) + bytes(HEAD - 8))


def test_a_first_release_travels_smaller_than_its_layers_and_each_file_once(pair: Pair) -> None:
    blobs = [OLD, NEW, b'{"config": 1}']
    path = pair.write(blobs, [])
    assert path.stat().st_size < 0.6 * (len(OLD) + len(NEW))
    pair.take_in(path, *blobs)


def test_streams_are_cut_and_the_workers_do_not_show(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many segments of both kinds, and the same bytes by one worker and by three."""
    monkeypatch.setattr(Effort, "most", lambda *_: 16 << 10)
    fresh = {f"srv/{number}.{'py' if number % 2 else 'txt'}": text(50 + number) for number in range(8)}
    new = layer({**CHANGED, **fresh})
    written = set()
    for workers in (1, 3):
        monkeypatch.setattr("airstore.media.delta.writer.WORKERS", workers)
        path = pair.write([new, b"a config"], [OLD])
        written.add(path.read_bytes())
    assert len(written) == 1
    pair.put(pair.site, OLD)
    assert len(Delta(path, pair.site.reader).table.segments) > 4
    pair.take_in(path, new, b"a config")
