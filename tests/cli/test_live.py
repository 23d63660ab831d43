"""How far a step has come, on a terminal and elsewhere."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from airstore.cli.context import Context
from airstore.cli.views.live import Lines, display
from airstore.cli.views.liveline import LiveLine
from airstore.deploy.waiting.watching import Silent, WaitProgress


def progress(elapsed: float, ready: int = 0, reason: str = "") -> WaitProgress:
    return WaitProgress("upgrade shop/web", elapsed, 60 - elapsed, ready, 2, reason)


def test_lines_come_with_news_and_now_and_then() -> None:
    clock, written = [0.0], list[WaitProgress]()
    lines = Lines(written.append, lambda: clock[0])
    for second in range(0, 70, 2):
        clock[0] = float(second)
        lines.show(progress(second, 1 if second >= 40 else 0, f"back-off {second}s"))
    assert [each.elapsed for each in written] == [0, 30, 40]
    lines.clear()
    lines.show(progress(69, 1, "back-off 1s"))
    assert len(written) == 4, "a new wait begins with a line"


def test_a_log_of_json_says_it_in_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    context = Context(named=None, quiet=False, bars=True, json_log=True)  # type: ignore[arg-type]
    display(context).show(progress(12.34, 1, "it starts"))
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "upgrade shop/web: 12 s, 48 s left; 1 of 2 pods ready; it starts"
    assert line["progress"]["elapsed"] == 12.3
    assert (line["progress"]["ready"], line["progress"]["wanted"]) == (1, 2)
    quiet = Context(named=None, quiet=True, bars=True, json_log=True)  # type: ignore[arg-type]
    assert isinstance(display(quiet), Silent)


def test_a_terminal_has_one_line_that_is_rewritten_and_goes() -> None:
    out = io.StringIO()
    line = LiveLine(Console(file=out, force_terminal=True, width=60))
    line.show(progress(1, 0, "\x1b[2J"))
    line.show(progress(3, 2, "almost " * 20))
    line.clear()
    text = out.getvalue()
    assert "\\x1b[2" in text, "nothing in it drives the terminal"
    assert "…" in text, "it is cut to the terminal's width"
    assert text.count("\n") <= 2
