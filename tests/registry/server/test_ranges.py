"""Range headers, pages and bodies, as values."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.registry.server.ranges import UnsatisfiableRangeError, parse_range
from airstore.registry.server.responses import exact, primed


@given(size=st.integers(0, 60), first=st.none() | st.integers(0, 70), last=st.none() | st.integers(0, 70))
def test_ranges_select_what_the_specification_says(size: int, first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    content = list(range(size))
    if first is None:
        expected = content[max(size - last, 0) :] if last is not None else content
    else:
        expected = content[first : None if last is None else last + 1]
    ignored = (first, last) == (None, None) or (first is not None and last is not None and first > last)
    try:
        part = parse_range(header, size)
    except UnsatisfiableRangeError:
        assert not expected
        assert not ignored
    else:
        assert (part is None) == ignored
        assert part is None or (content[part.start : part.stop] == expected != [])


@given(
    header=st.text("bytes=0123456789-, ", max_size=25) | st.text(max_size=25), size=st.integers(0, 1 << 40)
)
def test_any_header_is_a_range_or_ignored(header: str, size: int) -> None:
    try:
        part = parse_range(header, size)
    except UnsatisfiableRangeError:
        return
    assert part is None or 0 <= part.start < part.stop <= size


@given(chunks=st.lists(st.binary(max_size=9)), length=st.integers(0, 30))
def test_a_body_ends_well_only_at_its_promised_length(chunks: list[bytes], length: int) -> None:
    whole = b"".join(chunks)
    if len(whole) == length:
        assert b"".join(exact(chunks, length)) == whole
        return
    sent: list[bytes] = []
    with pytest.raises(DamagedError):
        sent.extend(exact(chunks, length))
    assert len(b"".join(sent)) < length or length == 0


@given(chunks=st.lists(st.binary(min_size=1, max_size=9), min_size=1))
def test_damage_at_the_very_end_still_shortens_the_body(chunks: list[bytes]) -> None:
    def damaged() -> Iterator[bytes]:
        yield from chunks
        raise DamagedError("found at the end")

    sent: list[bytes] = []
    with pytest.raises(DamagedError, match="found at the end"):
        sent.extend(exact(damaged(), len(b"".join(chunks))))
    assert sent == chunks[:-1]
    if len(chunks) == 1:
        with pytest.raises(DamagedError):
            primed(damaged(), len(chunks[0]))
