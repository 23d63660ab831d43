"""A program that is watched while it runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airstore.core.errors import DeployError
from airstore.process.guard import await_end
from airstore.process.program import run


def test_what_a_watch_raises_ends_the_program(tmp_path: Path) -> None:
    """Guarded or not, with everything that it started."""
    for guard in (None, tmp_path / "guard"):
        looks = list[float]()
        mark = tmp_path / f"{guard is None}"

        def watch(looks: list[float] = looks) -> None:
            looks.append(time.monotonic())
            if len(looks) == 3:
                raise DeployError("it is of no use")

        script = f"(sleep 5; touch {mark}) & sleep 60"
        begun = time.monotonic()
        with pytest.raises(DeployError, match="of no use"):
            run(["/bin/sh", "-c", script], {}, timeout=50, guard=guard, watch=watch)
        assert time.monotonic() - begun < 30
        if guard:
            await_end(guard, 10)
        time.sleep(6)
        assert not mark.exists()


def test_a_watch_looks_on_and_changes_nothing() -> None:
    looks = list[int]()
    done = run(["/bin/sh", "-c", "echo a; sleep 2; echo b"], {}, timeout=50, watch=lambda: looks.append(1))
    assert (done.code, done.stdout) == (0, b"a\nb\n")
    assert len(looks) >= 2
