"""Progress bars on a terminal; apart from `context`, because rich is slow to load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from airstore.core.progress import Advance


class Bars:
    """A `airstore.core.progress.Progress` that draws on standard error."""

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Advance]:
        """One bar, gone when the block ends."""
        columns = (TextColumn("{task.description:<22}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(label, total=total)
            yield lambda count: bars.advance(task, count)
