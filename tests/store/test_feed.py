"""A stream in measured bites: joined, or in parts as they come."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from airstore.store.ingest.feed import Feed


@given(st.lists(st.binary(max_size=9)), st.lists(st.tuples(st.booleans(), st.integers(0, 12))))
def test_parts_are_what_a_bite_would_have_been(chunks: list[bytes], bites: list[tuple[bool, int]]) -> None:
    feed, plain = Feed(chunks), b"".join(chunks)
    for in_parts, count in bites:
        taken = b"".join(feed.parts(count)) if in_parts else feed.take(count)
        assert taken == plain[:count]
        plain = plain[count:]


def test_parts_read_no_further_than_they_were_taken() -> None:
    read = list[int]()

    def chunks() -> Iterator[bytes]:
        for number in range(9):
            read.append(number)
            yield b"four"

    parts = Feed(chunks()).parts(30)
    assert next(parts) == b"four"
    assert read == [0]
