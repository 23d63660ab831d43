"""Listings as tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from airstore.cli.text import human, printable

Row = Mapping[str, Any]

_WIDE = "airstore.wide"
_SCHEMA = "airstore.schema"
_Command = TypeVar("_Command", bound=Callable[..., Any])
_DIGEST = re.compile(r"\b(sha256:[0-9a-f]{12})[0-9a-f]{52}\b")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def _form(ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    ctx.meta[_WIDE] = value == "wide"
    return "table" if value == "wide" else value


class OutputOption(click.Option):
    """``-o`` of one command.

    Attributes:
        schemas: what the command's documents are held against, ``schemas/output/NAME.schema.json``; the first
            is what it prints unless it says otherwise.
    """

    def __init__(self, *declared: Any, schemas: tuple[str, ...], **settings: Any) -> None:
        super().__init__(*declared, **settings)
        self.schemas = schemas


def output_option(*schemas: str) -> Callable[[_Command], _Command]:
    """``-o`` for a command that prints documents of these schemas."""

    def note(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
        ctx.meta[_SCHEMA] = schemas[0]
        return _form(ctx, parameter, value)

    return click.option(
        "-o",
        "--output",
        cls=OutputOption,
        schemas=schemas,
        type=click.Choice(["table", "wide", "json", "yaml"]),
        default="table",
        callback=note,
        help="Form of the result; wide is a table with whole digests.",
    )


def shortened(text: str) -> str:
    """A text for people: digests and commits cut as git and docker do, unless ``-o wide`` was given."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.meta.get(_WIDE):
        return text
    return text[:12] if _COMMIT.fullmatch(text) else _DIGEST.sub(r"\1", text)


def show_rows(
    rows: Sequence[Row],
    output: str,
    columns: Mapping[str, str],
    empty: str = "",
    *,
    schema: str = "",
    beside: Row | None = None,
) -> None:
    """Print rows; tables show ``columns`` (field to heading), JSON and YAML every field, as ``items``.

    Fields that end in ``size`` or ``bytes`` are byte counts and right-aligned. Documents have the fields
    ``beside`` the items, too.
    """
    if output != "table":
        show_document({"items": list(rows), **(beside or {})}, output, schema=schema)
        return
    if not rows:
        click.echo(empty or "nothing to list")
        return
    from airstore.cli.views.table import print_table  # noqa: PLC0415 - rich is slow to load

    right = {heading for field, heading in columns.items() if isinstance(rows[0].get(field), int)}
    print_table(list(columns.values()), right, [[_cell(f, row.get(f)) for f in columns] for row in rows])


def show_document(document: Row, output: str, *, schema: str = "") -> None:
    """Print one document as JSON or YAML, headed by its schema and that schema's version.

    Args:
        document: its fields.
        output: ``json`` or ``yaml``.
        schema: where it is not the first of the command's `output_option`.
    """
    name = schema or click.get_current_context().meta[_SCHEMA]
    print_document({"schema": f"airstore/{name}/v1", **document}, output)


def print_document(document: object, output: str) -> None:
    """Print a document of any format as JSON or YAML, in ASCII: nothing in it drives a terminal."""
    if output == "yaml":
        from airstore.core.parsing import yamlfile  # noqa: PLC0415 - YAML takes a part of a short command's time

        click.echo(yamlfile.dump(document, ascii_only=True), nl=False)
    else:
        click.echo(json.dumps(document, indent=2))


def show_fields(document: Row, output: str, *, schema: str = "") -> None:
    """Print one record: a field a line for people."""
    if output != "table":
        show_document(document, output, schema=schema)
        return
    width = max(map(len, document), default=0)
    for field, value in document.items():
        click.echo(f"{field:<{width}}  {_cell(field, value)}")


def show_with(
    document: Row, name: str, make: Callable[[], Row] | None, output: str, *, schema: str = ""
) -> None:
    """`show_fields`, then what takes its time and is made now; a document has both, also where it fails."""
    if output == "table":
        show_fields(document, output)
        if make:
            made = make()
            click.echo()
            show_fields(made, output)
        return
    beside: Row = {}
    try:
        if make:
            beside = {name: make()}
    finally:
        show_fields({**document, **beside}, output, schema=schema)


def _cell(field: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and field.lower().endswith(("size", "bytes")):
        return human(value)
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return printable(shortened(str(value)))
