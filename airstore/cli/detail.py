"""``--verbose``: what is at work, as `airstore.core.work` tells it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airstore.core.work import LOGGER


class _Lines(logging.Handler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())


def show_work(show: Callable[[str], None]) -> Callable[[], None]:
    """Show what is at work, a line each, until what is returned is called."""
    lines, before = _Lines(show), LOGGER.level
    LOGGER.addHandler(lines)
    LOGGER.setLevel(logging.DEBUG)

    def end() -> None:
        LOGGER.setLevel(before)
        LOGGER.removeHandler(lines)

    return end
