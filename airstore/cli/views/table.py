"""Tables for people; apart from `output`, because rich is slow to load."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

_NAME = re.compile(r"sha256:[0-9a-f]+|[0-9a-f]{12}|[0-9a-f]{40}")


def print_table(headings: Iterable[str], right: Collection[str], rows: Iterable[Iterable[str]]) -> None:
    """Print rows of cells under headings; the columns of those in ``right`` are aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [list(row) for row in rows]
    for number, heading in enumerate(headings):
        whole = any(_NAME.fullmatch(row[number]) for row in cells)  # a digest in two lines is none
        side: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, justify=side, overflow="fold", no_wrap=whole)
    for row in cells:
        table.add_row(*map(Text, row))
    _console().print(table)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the one place that ends commands; rich would exit with code 1."""
        raise BrokenPipeError


def _console() -> Console:
    # A pipe has no width: fold nothing there, so that grep and awk see whole rows.
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=10_000, no_color=True)
