import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest, hashed_aside, verified

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_known_value(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert Digest.of(b"") == Digest.of_file(empty) == EMPTY


@given(st.binary(min_size=32, max_size=32))
def test_raw_and_text_are_the_same_digest(raw: bytes) -> None:
    digest = Digest.from_raw(raw)
    assert digest.raw == raw
    assert Digest(str(digest)) == digest
    assert digest.hex == raw.hex()
    assert digest.hex.startswith(digest.short)


@pytest.mark.parametrize(
    "text",
    [
        "",
        EMPTY.upper(),
        EMPTY[:-1],
        EMPTY + "0",
        EMPTY + "\n",
        " " + EMPTY,
        EMPTY.replace("sha256", "sha512"),
        EMPTY.removeprefix("sha256:"),
        EMPTY.replace("e3", "é3"),
        "sha256:" + "\u0661" * 64,  # Arabic digits
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DamagedError):
        Digest(text)


def test_wrong_raw_length_is_refused() -> None:
    with pytest.raises(DamagedError):
        Digest.from_raw(b"short")


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_the_expected_stream_passes_unchanged(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    assert b"".join(verified(chunks, Digest.of(data), len(data))) == data


@given(st.binary(min_size=1, max_size=60), st.data())
def test_any_flipped_bit_is_found(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) * 8 - 1))
    flipped = bytearray(data)
    flipped[at // 8] ^= 1 << at % 8
    with pytest.raises(DamagedError, match="other content"):
        list(verified([bytes(flipped)], Digest.of(data), len(data)))


def test_a_short_stream_is_found() -> None:
    with pytest.raises(DamagedError, match=r"layer sha256.* ends after 2 of 3 bytes"):
        list(verified([b"ab"], Digest.of(b"abc"), 3, "layer"))


def test_a_stream_that_never_ends_is_cut_off() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 10

    with pytest.raises(DamagedError, match="longer than its stated 25 bytes"):
        list(verified(endless(), Digest.of(b"x" * 25), 25))


@given(st.lists(st.binary(max_size=5000)))
def test_chunks_hashed_aside_come_through_unchanged(chunks: list[bytes]) -> None:
    running = hashlib.sha256()
    assert list(hashed_aside(iter(chunks), running)) == chunks
    assert Digest.from_raw(running.digest()) == Digest.of(b"".join(chunks))


def test_a_failing_source_of_chunks_hashed_aside_is_not_hidden() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the very error of the source
        list(hashed_aside(broken(), hashlib.sha256()))
