"""One line of a terminal that is rewritten; apart from `live`, because rich is slow to load."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.text import Text

from airstore.cli.text import printable
from airstore.deploy.waiting.watching import WaitProgress


class LiveLine:
    """A `airstore.deploy.waiting.watching.Display` on standard error; nothing of it stays.

    Args:
        console: to write to.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live: Live | None = None

    def show(self, progress: WaitProgress) -> None:
        """See `airstore.deploy.waiting.watching.Display`."""
        line = Text(printable(str(progress)).replace("\n", " "), no_wrap=True, overflow="ellipsis")
        if self._live is None:
            self._live = Live(line, console=self._console, transient=True, auto_refresh=False)
            self._live.start(refresh=True)
        else:
            self._live.update(line, refresh=True)

    def clear(self) -> None:
        """See `airstore.deploy.waiting.watching.Display`."""
        if self._live is not None:
            self._live.stop()
            self._live = None
