"""Long texts are cut in their middle, never at their ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airstore.core.excerpt import excerpt, excerpt_lines


@given(st.text(max_size=500), st.integers(0, 300))
def test_a_text_is_whole_or_keeps_its_beginning_and_its_end(text: str, limit: int) -> None:
    short = excerpt(text, limit)
    assert len(short) <= limit or short == text
    if len(text) <= limit:
        assert short == text
    elif limit >= 100:
        assert (short[:20], short[-20:]) == (text[:20], text[-20:])
        assert f"{len(text) - limit} characters left out" in short


@given(st.lists(st.text(max_size=5), max_size=40), st.integers(2, 30))
def test_so_do_lines(lines: list[str], limit: int) -> None:
    short = excerpt_lines(lines, limit)
    if len(lines) <= limit:
        assert short == lines
    else:
        assert len(short) == limit + 1
        assert (short[0], short[-1]) == (lines[0], lines[-1])
        assert any(f"{len(lines) - limit} lines left out" in line for line in short)
