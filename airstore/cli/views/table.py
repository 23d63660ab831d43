"""Tables for people; apart from `output`, because rich is slow to load."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2  # columns between two cells
_FOLDED = 10  # columns that are left to a cell at least before it goes on in the next line
_NAME = re.compile(r"sha256:[0-9a-f]+|[0-9a-f]{12}|[0-9a-f]{40}")


def print_table(headings: Iterable[str], right: Collection[str], rows: Iterable[Iterable[str]]) -> None:
    """Print rows of cells under headings; the columns of those in ``right`` are aligned to the right.

    Where a terminal is too narrow for the columns, each row is printed as lines of heading and cell.
    """
    console, names, cells = _console(), list(headings), [list(row) for row in rows]
    columns = [_Column(name, [row[number] for row in cells]) for number, name in enumerate(names)]
    if sum(column.least for column in columns) + _GAP * (len(columns) - 1) > console.width:
        _print_records(console, names, cells)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        side: Literal["left", "right"] = "right" if column.heading in right else "left"
        table.add_column(
            column.heading, justify=side, overflow="fold", no_wrap=column.whole, min_width=column.least
        )
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


class _Column:
    """One column, and how narrow it can be: its heading and short cells stay in one line."""

    def __init__(self, heading: str, cells: list[str]) -> None:
        self.heading = heading
        self.whole = any(map(_NAME.fullmatch, cells))  # a digest in two lines is none
        widest = max(map(cell_len, cells), default=0)
        self.least = max(len(heading), widest if self.whole else min(widest, _FOLDED))


def _print_records(console: Console, headings: list[str], rows: list[list[str]]) -> None:
    width = max(map(len, headings))
    for number, row in enumerate(rows):
        if number:
            console.print()
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                line = Text(heading.lower().ljust(width), "bold").append(f"  {cell}", "not bold")
                console.print(line, soft_wrap=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the one place that ends commands; rich would exit with code 1."""
        raise BrokenPipeError


def _console() -> Console:
    # A pipe has no width: fold nothing there, so that grep and awk see whole rows.
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=10_000, no_color=True)
