"""What is needed, and what needs: against the definition, over any graph, cycles included."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airstore.deploy.run.reach import needed, needing

KEYS = st.sampled_from("abcdef")
GRAPHS = st.dictionaries(KEYS, st.frozensets(KEYS))


@given(needs=GRAPHS, start=st.frozensets(KEYS))
def test_what_is_needed_is_the_smallest_set_that_is_closed(
    needs: dict[str, frozenset[str]], start: frozenset[str]
) -> None:
    found = needed(needs, start)
    assert start <= found
    assert all(needs.get(key, frozenset()) <= found for key in found)
    for key in found - start:
        assert any(key in needs.get(other, ()) for other in found - {key})


@given(needs=GRAPHS, one=KEYS, other=KEYS)
def test_one_needs_the_other_if_the_other_is_needed_by_the_one(
    needs: dict[str, frozenset[str]], one: str, other: str
) -> None:
    assert (other in needed(needs, [one])) == (one in needing(needs, [other]))
