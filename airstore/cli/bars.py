"""Progress bars on a terminal; apart from `context`, because rich is slow to load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from airstore.cli.text import duration
from airstore.core.progress import Advance, remaining


class Bars:
    """A `airstore.core.progress.Progress` that draws on standard error.

    Args:
        console: what is drawn on.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Advance]:
        """One bar, gone when the block ends."""
        with self._bar(label, total, DownloadColumn(), TransferSpeedColumn()) as advance:
            yield advance

    @contextmanager
    def work(self, label: str, total: int) -> Iterator[Advance]:
        """One bar without bytes, gone when the block ends."""
        with self._bar(label, total, TaskProgressColumn()) as advance:
            yield advance

    @contextmanager
    def _bar(self, label: str, total: int | None, *columns: ProgressColumn) -> Iterator[Advance]:
        named = (TextColumn("{task.description:<22}"), BarColumn(), *columns, _Remaining())
        with Progress(*named, console=self._console, transient=True) as bars:
            task = bars.add_task(label, total=total)
            yield lambda count: bars.advance(task, count)


class _Remaining(ProgressColumn):
    """The time that is left at the pace since the beginning: a pace of the last seconds would leap."""

    def render(self, task: Task) -> Text:
        """See rich."""
        left = remaining(task.completed, task.total, task.elapsed or 0)
        return Text("" if left is None else f"{duration(round(left))} left", style="progress.remaining")
