"""Patches whose differences are spelled out: the same reader applies them, and the smaller way is taken."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager, nullcontext

from hypothesis import given
from hypothesis import strategies as st

from airstore.media.delta.format import patch
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.making.spelling import spell, spelled

_runs = st.one_of(
    st.integers(0, 900).map(bytes),
    st.integers(0, 900).map(lambda size: b"\xff" * size),
    st.integers(0, 40_000).map(lambda size: b"\x07" * size),
    st.binary(max_size=200),
)


def added(base: bytes, differences: bytes) -> bytes:
    """Each byte plus a difference: what HDiffPatch takes as one match with runs of differences."""
    return bytes((left + right) & 0xFF for left, right in zip(base, differences, strict=False))


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same each time


@given(st.lists(_runs, max_size=12).map(b"".join), st.binary(max_size=60))
def test_a_patch_that_is_spelled_out_gives_the_same(differences: bytes, inserted: bytes) -> None:
    base = noise(1, 50_000)
    new = added(base, differences) + inserted + base[len(differences) :]
    made = patch.make(new, [base])
    if made.kind is PieceKind.PATCH:
        assert patch.apply(made.kind, spell(made.data), [base], len(new)) == new


def moved(base: bytes) -> bytes:
    """As a program whose functions moved: what is added depends on how far the last such place is."""
    chosen = random.Random(4)  # noqa: S311 - the same each time
    gaps = chosen.choices(range(20, 52), k=len(base) // 20)
    return added(base, b"".join(bytes(gap) + bytes([gap * 37 & 0xFF]) for gap in gaps))


def test_what_repeats_over_runs_is_spelled_out() -> None:
    base = noise(2, 60_000)
    new = moved(base)
    made = patch.make(new, [base])
    best = spelled(made)
    assert best.data == spell(made.data)
    assert len(best.data) > len(made.data)  # before compression
    assert patch.apply(best.kind, best.data, [base], len(new)) == new


def test_weighing_waits_for_memory() -> None:
    """No more is taken than the encoder takes, and nothing is weighed before it is there."""
    asked = list[int]()

    class Asked:
        base = patch.BASE

        def patching(self, new: int, base: int) -> AbstractContextManager[object]:
            raise AssertionError((new, base))

        def spelling(self, size: int) -> AbstractContextManager[object]:
            asked.append(size)
            return nullcontext()

    made = patch.make(moved(noise(2, 60_000)), [noise(2, 60_000)])
    assert spelled(made, Asked()) == spelled(made)
    assert asked == [len(spell(made.data))]


def test_what_takes_more_so_stays_in_runs() -> None:
    base = noise(3, 400_000)
    new = base[:200_000] + b"one more" + base[200_000:]
    made = patch.make(new, [base])
    assert made.kind is PieceKind.PATCH
    assert spelled(made) == made
