"""How far a step has come: one line that is rewritten on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

import click

from airstore.cli.context import Context
from airstore.cli.text import printable
from airstore.deploy.waiting.watching import Display, Silent, WaitProgress

_EVERY = 30.0  # seconds without news until a line says that it goes on


def display(context: Context) -> Display:
    """What suits where standard error goes."""
    if context.quiet:
        return Silent()
    if context.json_log:
        return Lines(_say_json)
    if context.bars and sys.stderr.isatty():
        from airstore.cli.views.liveline import LiveLine  # noqa: PLC0415 - rich is slow to load

        return LiveLine()
    return Lines(lambda progress: click.echo(printable(str(progress)), err=True))


class Lines:
    """A line when something changes, and at least every half minute.

    Args:
        write: takes what is shown.
        now: seconds on a clock that only goes forward.
    """

    def __init__(
        self, write: Callable[[WaitProgress], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._now = write, now
        self._shown: tuple[object, ...] = ()
        self._when = 0.0

    def show(self, progress: WaitProgress) -> None:
        """See `airstore.deploy.waiting.watching.Display`."""
        now = self._now()
        if progress.news != self._shown or now - self._when >= _EVERY:
            self._shown, self._when = progress.news, now
            self._write(progress)

    def clear(self) -> None:
        """See `airstore.deploy.waiting.watching.Display`."""
        self._shown = ()


def _say_json(progress: WaitProgress) -> None:
    numbers = {
        name: round(value, 1) if isinstance(value, float) else value
        for name, value in asdict(progress).items()
    }
    click.echo(json.dumps({"level": "info", "message": str(progress), "progress": numbers}), err=True)
