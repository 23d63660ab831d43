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
from airstore.core.progress import NOTHING, Advance, Afterwards, remaining


class Bars:
    """A `airstore.core.progress.Progress` that draws on standard error.

    Args:
        console: what is drawn on.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)

    @contextmanager
    def task(self, label: str, total: int | None, after: Afterwards = NOTHING) -> Iterator[Advance]:
        """One bar, gone when the block ends."""
        with self._bar(label, total, after, DownloadColumn(), TransferSpeedColumn()) as advance:
            yield advance

    @contextmanager
    def work(self, label: str, total: int, after: Afterwards = NOTHING) -> Iterator[Advance]:
        """One bar without bytes, gone when the block ends."""
        with self._bar(label, total, after, TaskProgressColumn()) as advance:
            yield advance

    @contextmanager
    def _bar(
        self, label: str, total: int | None, after: Afterwards, *columns: ProgressColumn
    ) -> Iterator[Advance]:
        left = _Remaining(after.seconds(), after.pace)
        named = (TextColumn("{task.description:<22}"), BarColumn(), *columns, left)
        with Progress(*named, console=self._console, transient=True) as bars:
            task = bars.add_task(label, total=total)
            yield lambda count: bars.advance(task, count)


class _Remaining(ProgressColumn):
    """The time that is left at the pace since the beginning: a pace of the last seconds would leap.

    Args:
        after: see `remaining`.
        pace: see `remaining`.
    """

    def __init__(self, after: float | None, pace: float | None) -> None:
        super().__init__()
        self._after, self._pace = after, pace

    def render(self, task: Task) -> Text:
        """See rich."""
        left = remaining(task.completed, task.total, task.elapsed or 0, self._after, self._pace)
        return Text("" if left is None else f"{duration(round(left))} left", style="progress.remaining")
