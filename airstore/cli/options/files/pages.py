"""Options that name where a page goes, and putting it there."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context
from airstore.core.durable import write_file
from airstore.core.errors import UsageError

PAGE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_STANDARD_OUTPUT = Path("-")


def to_stdout(*places: Path | None) -> bool:
    """Whether a page goes to standard output, which has room for one.

    Raises:
        UsageError: several do.
    """
    count = places.count(_STANDARD_OUTPUT)
    if count > 1:
        raise UsageError("only one page fits on standard output", hint="name a file for the other")
    return count == 1


def alone_on_stdout(page: Path | None, form: str) -> bool:
    """Whether the page of a listing goes to standard output, in place of its table.

    Raises:
        UsageError: the listing was asked for as a document, too.
    """
    if to_stdout(page) and form != "table":
        raise UsageError("a page and a document do not fit on standard output", hint="--html FILE")
    return to_stdout(page)


def write_page(context: Context, place: Path, page: bytes) -> None:
    """Print a page, or write it to a file and say so.

    Raises:
        StorageError: it cannot be written.
    """
    if to_stdout(place):
        click.echo(page.decode(), nl=False)
        return
    write_file(place, page, mode=0o644)
    context.say(f"wrote {place}")
