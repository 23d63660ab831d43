"""The remaining time: by work done, said once it can be known, and drawn on a terminal only."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from airstore.cli.bars import Bars
from airstore.cli.text import duration
from airstore.core.progress import Afterwards, remaining
from airstore.media.delta.effort import Effort
from airstore.media.delta.making.work import Work
from tests.support.product.road_parts import Road, environment, separately


@given(st.integers(1, 1 << 40), st.floats(0.02, 1), st.floats(2, 1e5))
def test_an_even_pace_is_foretold(total: int, share: float, elapsed: float) -> None:
    left = remaining(share * total, total, elapsed)
    assert left is not None
    assert abs(left - (elapsed / share - elapsed)) <= 1e-6 * elapsed / share


@pytest.mark.parametrize(("done", "total", "elapsed"), [(5, None, 9), (5, 0, 9), (5, 10, 1), (0, 10, 99)])
def test_what_is_not_known_is_not_said(done: int, total: int | None, elapsed: float) -> None:
    assert remaining(done, total, elapsed) is None


@given(st.integers(1, 1 << 40), st.floats(0.02, 1), st.floats(2, 1e5), st.floats(0, 1e5))
def test_what_comes_then_counts(total: int, share: float, elapsed: float, after: float) -> None:
    """As it was measured after copying; as much slower or faster as this machine is after work of its own."""
    own = elapsed / share - elapsed
    here = remaining(share * total, total, elapsed, after)
    assert here == pytest.approx(own + after)
    twice_as_slow = elapsed / (share * total) / 2
    assert remaining(share * total, total, elapsed, after, twice_as_slow) == pytest.approx(own + 2 * after)


def test_nothing_is_said_of_the_time_while_what_comes_then_is_unknown() -> None:
    assert remaining(50, 100, 10) == 10
    assert remaining(50, 100, 10, None) is None


def test_more_than_all_leaves_nothing() -> None:
    assert remaining(12, 10, 5) == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (61, "2 min"), (7380, "2 h 03 min")]
)
def test_times_are_no_finer_than_they_are_known(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("effort", list(Effort))
def test_work_counts_bytes_of_each_kind(effort: Effort) -> None:
    """Patching takes both sides alike; a body with no base takes compressing all of it."""
    whole, patched = (Work.of(10 << 20, base, effort.packings) for base in (0, 10 << 20))
    assert whole.making == 0 < whole.packing
    assert patched.making == Work.of(15 << 20, 5 << 20, effort.packings).making
    assert patched.making == 2 * Work.of(5 << 20, 5 << 20, effort.packings).making > 0
    assert patched.packing < patched.making
    assert Work.of(0, 0, effort.packings) == (0, 0)


def test_the_bar_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    console = Console(file=io.StringIO(), force_terminal=True, width=120, get_time=lambda: now[0])
    with Bars(console).work("writing media", 1000) as advance:
        now[0] = 30.0
        advance(250)
    drawn = console.file
    assert isinstance(drawn, io.StringIO)
    assert "25%" in drawn.getvalue()
    assert "2 min left" in drawn.getvalue()


def test_a_step_says_what_all_steps_take() -> None:
    now = [0.0]
    console = Console(file=io.StringIO(), force_terminal=True, width=120, get_time=lambda: now[0])
    with Bars(console).task("copying media", 1000, Afterwards(lambda: 600.0)) as advance:
        now[0] = 30.0
        advance(500)
    drawn = console.file
    assert isinstance(drawn, io.StringIO)
    assert "11 min left" in drawn.getvalue()


@pytest.mark.slow
def test_only_a_terminal_sees_it(road: Road, tmp_path: Path) -> None:
    words = ("-C", road.publisher, "media", "create", "--to", "1.1.0", "--from", "1.0.0")
    assert "writing media" not in separately(*words, tmp_path / "piped").err
    watcher, terminal = pty.openpty()
    command = [sys.executable, "-m", "airstore", *map(str, words), str(tmp_path / "watched")]
    env = {**os.environ, **environment(), "TERM": "xterm"}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=terminal) as running:
        os.close(terminal)
        seen = b""
        while chunk := _read(watcher):
            seen += chunk
    os.close(watcher)
    assert running.returncode == 0
    assert b"writing media" in seen


def _read(watcher: int) -> bytes:
    try:
        return os.read(watcher, 1 << 16)
    except OSError:  # what Linux says when the other side is closed
        return b""
