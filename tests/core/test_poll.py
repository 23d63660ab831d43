"""The one loop that waits."""

from __future__ import annotations

import itertools
import time

import pytest

from airstore.core.poll import poll


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only while the loop sleeps; its one entry is now."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_it_asks_at_once_and_ends_with_a_round_after_the_time(clock: list[float]) -> None:
    rounds = [(clock[0] - 100, last) for last in poll(1.0, 0.4)]
    assert [last for _, last in rounds] == [False, False, False, True]
    assert rounds[0][0] == 0
    assert rounds[-1][0] >= 1.0


def test_no_time_is_one_round(clock: list[float]) -> None:
    assert list(poll(0, 5)) == [True]
    assert clock == [100.0]


def test_a_round_that_takes_long_counts(clock: list[float]) -> None:
    rounds = []
    for last in itertools.islice(poll(10, 1), 20):
        rounds.append(last)
        clock[0] += 4
    assert rounds == [False, False, True]


def test_who_leaves_does_not_wait(clock: list[float]) -> None:
    for _ in poll(10, 3):
        break
    assert clock == [100.0]
