"""Archives within layers: whatever they are, they come back; what is hostile is an error."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.media.delta.format import nested, patch
from airstore.media.delta.format.nested import close_streams, open_streams, streams, view
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.format.wire import put
from tests.media.delta.test_delta import text

NOISE = random.Random(9).randbytes(5000)  # noqa: S311 - the same each time


def zipped(files: dict[str, bytes], level: int = 6, stored: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as made:
        for name, data in files.items():
            kind = zipfile.ZIP_STORED if name == stored else zipfile.ZIP_DEFLATED
            made.writestr(zipfile.ZipInfo(name), data, kind, level)
    return file.getvalue()


FILES = {"a.class": text(1, 400), "META-INF/b.txt": text(2, 600), "c.bin": NOISE, "empty": b""}
JAR = zipped(FILES)
ARCHIVES = {
    "jar": JAR,
    "level 9": zipped(FILES, 9),
    "jar of jars, one of them stored": zipped({"x.jar": JAR, "y.jar": JAR, "z": text(3)}, stored="x.jar"),
    "program before a jar": b"#!/bin/sh\nexec java -jar $0\n" + JAR,
    "changelog": gzip.compress(text(4), 9, mtime=0),
    "gzip with a name": b"\x1f\x8b\x08\x08\0\0\0\0\0\x03name\0" + gzip.compress(text(4), 9, mtime=0)[10:],
    "gzip in gzip": gzip.compress(gzip.compress(text(5), mtime=0) + text(6), mtime=0),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_opened_and_comes_back(name: str) -> None:
    data = ARCHIVES[name]
    opened, control = open_streams(data)
    assert len(opened) > len(data)
    assert len(control) < len(data) // 4
    assert close_streams(opened, control, len(data)) == data
    if "level" in name or name == "jar":
        assert FILES["META-INF/b.txt"] in opened


def test_an_archive_in_an_archive_is_opened_and_one_more_is_not() -> None:
    deepest = gzip.compress(b"deepest " * 50, mtime=0)
    middle = gzip.compress(deepest + NOISE, mtime=0)
    outer = gzip.compress(middle + NOISE, mtime=0)
    opened, control = open_streams(outer)
    assert deepest in opened
    assert b"deepest deepest" not in opened
    assert close_streams(opened, control, len(outer)) == outer
    assert deepest in view(outer)


def test_what_the_site_has_so_stays_as_it_is() -> None:
    known = {JAR[stream.start : stream.end] for stream in streams(JAR)}
    assert open_streams(JAR, known) == (JAR, b"")
    changed = zipped({**FILES, "a.class": text(1, 400) + b"new"})
    opened, control = open_streams(changed, known)
    assert text(1, 400) + b"new" in opened
    assert text(2, 600) not in opened
    assert len(control) < 60
    assert close_streams(opened, control, len(changed)) == changed


def test_views_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb stays as it is, and so does what has no room beside others."""
    bomb = zipped({"bomb": bytes(1 << 20), "small": text(1, 300)})
    monkeypatch.setattr(nested, "VIEW", 200_000)
    assert text(1, 300) in view(bomb)
    assert len(view(bomb)) < 200_000
    opened, control = open_streams(bomb)
    assert close_streams(opened, control, len(bomb)) == bomb
    monkeypatch.setattr(nested, "VIEW", len(bomb) + 100)
    assert view(bomb) == bomb


@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", JAR[:60]]))
def test_any_bytes_come_back(data: bytes, head: bytes) -> None:
    data = head + data
    opened, control = open_streams(data)
    assert close_streams(opened, control, len(data)) == data
    view(data)


@given(st.data())
def test_damaged_archives_come_back_too(data: st.DataObject) -> None:
    at, mask = data.draw(st.integers(0, len(JAR) - 1)), data.draw(st.integers(1, 255))
    damaged = JAR[:at] + bytes([JAR[at] ^ mask]) + JAR[at + 1 :]
    opened, control = open_streams(damaged)
    assert close_streams(opened, control, len(damaged)) == damaged


@given(st.data())
def test_a_hostile_control_is_an_error_or_bounded(data: st.DataObject) -> None:
    opened, control = open_streams(JAR)
    at = data.draw(st.integers(0, len(control) - 1))
    flipped = control[:at] + bytes([control[at] ^ data.draw(st.integers(1, 255))]) + control[at + 1 :]
    for hostile in (flipped, control[:at], data.draw(st.binary(min_size=1, max_size=40))):
        with suppress(DamagedError):
            assert len(close_streams(opened, hostile, len(JAR))) <= len(JAR)


def test_what_is_nested_without_end_is_refused() -> None:
    control = b"\x01"
    for _ in range(5):
        control = put(1) + put(0) + put(0) + put(len(control)) + control + put(0)
    with pytest.raises(DamagedError, match="more archives than are opened"):
        close_streams(b"", control, 100)


def test_the_end_of_a_stream_is_found_however_long_it_is() -> None:
    large = random.Random(8).randbytes(300_000)  # noqa: S311 - the same each time
    compress = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflated = compress.compress(large) + compress.flush()
    head = JAR[: next(streams(JAR)).start]
    (found, *_) = streams(head + deflated + b"behind")
    assert (found.plain, found.end) == (large, len(head) + len(deflated))


def test_views_of_bases_are_bounded_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    new = zipped({**FILES, "a.class": text(1, 400) + b"new"})
    made = patch.make(new, [JAR])
    assert made.kind is PieceKind.OPENED_PATCH
    opened = patch.apply(made.kind, made.data, [JAR], made.view)
    assert close_streams(opened, made.control, len(new)) == new
    monkeypatch.setattr(patch, "BASE", len(JAR) + 100)
    with pytest.raises(DamagedError, match="rests on more"):
        patch.apply(made.kind, made.data, [JAR], made.view)
    assert patch.make(new, [JAR]).kind in {PieceKind.PATCH, PieceKind.WHOLE}
