"""The exact gzip codec through its typed face: what is recorded comes back bit for bit, or is refused."""

import contextlib
import functools
import gzip
import io
import random
import resource
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airstore.codec import KeptWholeError, Recorded, make_patch, patch, rebuild, record
from airstore.core.errors import DamagedError
from airstore.media.delta.making.spelling import spell

TEXT = b"".join(
    b"line %d of a file that repeats itself, more or less\n" % (n * n % 977) for n in range(40_000)
)


PIECES = st.one_of(st.binary(max_size=300), st.sampled_from([TEXT[:5000], bytes(400), b"abc" * 50]))


def deflated(data: bytes, level: int, memory: int = 8, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, 31, memory, strategy)
    return stream.compress(data) + stream.flush()


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - the same bytes in each run


def recorded(blob: bytes) -> tuple[Recorded, bytes, bytes]:
    plain, side = io.BytesIO(), io.BytesIO()
    report = record(io.BytesIO(blob), plain, side)
    return report, plain.getvalue(), side.getvalue()


def rebuilt(plain: bytes, side: bytes) -> bytes:
    out = io.BytesIO()
    rebuild(io.BytesIO(plain), io.BytesIO(side), out)
    return out.getvalue()


def exact(blob: bytes) -> tuple[Recorded, bytes]:
    """Check that a blob comes back; its report and plain bytes."""
    report, plain, side = recorded(blob)
    assert rebuilt(plain, side) == blob
    assert (report.gzip_size, report.plain_size, report.side_size) == (len(blob), len(plain), len(side))
    return report, plain


@pytest.mark.parametrize("level", range(1, 10))
@pytest.mark.parametrize("memory", [8, 9])
def test_zlib_costs_nothing_at_any_level(level: int, memory: int) -> None:
    report, plain = exact(deflated(TEXT, level, memory))
    assert plain == TEXT
    assert report.side_size < 60
    assert report.encoder.startswith(("zlib", "GNU gzip", "pigz"))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 127, 128, 65534, 65535, 65536, 131072, 131073])
@pytest.mark.parametrize("kind", ["zeros", "random", "text"])
def test_sizes_at_the_edges(size: int, kind: str) -> None:
    data = {"zeros": bytes(size), "random": noise(size), "text": TEXT[:size]}[kind]
    for level in (0, 1, 6, 9):
        report, plain = exact(deflated(data, level))
        assert plain == data
        assert level == 0 or report.side_size < 80


@pytest.mark.parametrize("strategy", [zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED])
def test_other_strategies_come_back_too(strategy: int) -> None:
    exact(deflated(TEXT[:300_000], 6, 8, strategy))


def test_flushes_members_and_what_follows() -> None:
    stream = zlib.compressobj(6, zlib.DEFLATED, 31)
    pieces = []
    for n, flush in enumerate([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_BLOCK] * 5):
        pieces += [stream.compress(TEXT[n * 9000 : n * 9000 + 9000]), stream.flush(flush)]
    one = b"".join(pieces) + stream.flush()
    several = one + gzip.compress(b"second", 9, mtime=7) + gzip.compress(b"", mtime=0) * 3 + b"\0" * 700
    _, plain = exact(several)
    assert plain == TEXT[:180_000] + b"second"


def test_a_wrong_trailer_is_kept() -> None:
    blob = bytearray(deflated(b"some bytes", 6))
    blob[-6] ^= 1
    exact(bytes(blob))


def test_headers_with_all_fields() -> None:
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = raw.compress(TEXT[:1000]) + raw.flush()
    fields = b"\x05\x00extra" + b"a name\0" + b"a comment\0" + b"\x12\x34"
    header = b"\x1f\x8b\x08\x1e" + b"\x01\x02\x03\x04\x02\x03" + fields
    trailer = zlib.crc32(TEXT[:1000]).to_bytes(4, "little") + (1000).to_bytes(4, "little")
    exact(header + body + trailer)


@pytest.mark.parametrize(
    "blob", [b"", b"\x1f", b"no gzip at all", gzip.compress(TEXT)[:-1], gzip.compress(TEXT)[:500]]
)
def test_what_is_not_whole_is_refused(blob: bytes) -> None:
    with pytest.raises(KeptWholeError):
        recorded(blob)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=300), st.sampled_from([TEXT[:5000], bytes(400), b"abc" * 50])),
        max_size=30,
    ),
    st.integers(0, 9),
    st.sampled_from([8, 9]),
)
def test_any_data_come_back(pieces: list[bytes], level: int, memory: int) -> None:
    data = b"".join(pieces)
    assert exact(deflated(data, level, memory))[1] == data


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_a_damaged_blob_is_refused_or_comes_back_as_it_is(where: int, flip: int) -> None:
    blob = bytearray(deflated(TEXT[:20_000], 6))
    blob[where % len(blob)] ^= flip
    with contextlib.suppress(KeptWholeError):
        exact(bytes(blob))


@functools.cache
def filtered() -> tuple[bytes, bytes]:
    """Plain bytes and side data of what no model fits well, recorded once for all examples."""
    _, plain, side = recorded(deflated(TEXT[:50_000], 6, 8, zlib.Z_FILTERED) + b"rest")
    return plain, side


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 255), st.booleans())
def test_damaged_side_data_are_one_clear_error_or_another_blob(where: int, flip: int, in_plain: bool) -> None:
    plain, side = filtered()
    damaged = [bytearray(plain), bytearray(side)]
    target = damaged[0 if in_plain else 1]
    target[where % len(target)] ^= flip
    with contextlib.suppress(DamagedError):
        rebuilt(bytes(damaged[0]), bytes(damaged[1]))


@pytest.mark.parametrize("missing", ["plain", "side"])
def test_missing_bytes_are_noticed(missing: str) -> None:
    _, plain, side = recorded(deflated(TEXT, 6))
    with pytest.raises(DamagedError):
        rebuilt(plain[:-1] if missing == "plain" else plain, side[:-1] if missing == "side" else side)
    with pytest.raises(DamagedError):
        rebuilt(plain + b"x", side)
    with pytest.raises(DamagedError):
        rebuilt(plain, side + b"x")


class Failing(io.BytesIO):
    """A stream that fails after some bytes."""

    def write(self, data: object, /) -> int:
        del data
        raise OSError(28, "no space left on device")

    def read(self, size: int | None = -1, /) -> bytes:
        del size
        raise OSError(5, "input/output error")


def test_a_failing_stream_is_heard() -> None:
    blob = deflated(TEXT, 6)
    with pytest.raises(OSError, match="no space left"):
        record(io.BytesIO(blob), Failing(), io.BytesIO())
    with pytest.raises(OSError, match="input/output"):
        record(Failing(), io.BytesIO(), io.BytesIO())
    _, plain, side = recorded(blob)
    with pytest.raises(OSError, match="no space left"):
        rebuild(io.BytesIO(plain), io.BytesIO(side), Failing())


@pytest.mark.slow
def test_memory_stays_bounded(tmp_path: Path) -> None:
    """256 MiB of zeros, where one block spans megabytes, pass in little memory."""
    blob = tmp_path / "zeros.gz"
    with gzip.open(blob, "wb", 6) as out:
        for _ in range(256):
            out.write(bytes(1 << 20))

    class Counting:
        size = 0

        def write(self, data: bytes, /) -> None:
            self.size += len(data)

    plain = Counting()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with blob.open("rb") as source:
        record(source, plain, io.BytesIO())
    assert plain.size == 256 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@given(st.lists(st.tuples(st.integers(0, 60_000), PIECES), max_size=8), st.booleans())
def test_patches_make_what_their_library_made_them_of(
    changes: list[tuple[int, bytes]], spelled: bool
) -> None:
    base = new = TEXT[:60_000] + noise(9000)
    for at, piece in changes:
        new = new[:at] + piece + new[at + len(piece) // 2 :]
    data = make_patch(base, new)
    out = Parts()
    patch(base, spell(data) if spelled else data, len(new), out)
    assert b"".join(out.parts) == new
    assert max(map(len, out.parts), default=0) <= 65536
    with pytest.raises(DamagedError, match="another base"):
        patch(base[:-1], data, len(new), Parts())


class Parts:
    """Keeps what is written, part by part."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.parts.append(data)
