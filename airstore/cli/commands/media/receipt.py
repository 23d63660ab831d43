"""``airstore receipt``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.core.durable import write_file
from airstore.core.errors import UsageError
from airstore.ops.media.receipts import write_receipt
from airstore.ops.stores.directory import SITE


@click.command("receipt")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), hidden=True, help="The same as FILE.")
@click.option("-o", "output", default="json", metavar="json", help="Form: it is signed as JSON.")
@pass_context
def command(context: Context, file: Path | None, *, out: Path | None, output: str) -> None:
    """Write the signed statement of what this site holds to FILE, for `media create --receipt`.

    Without FILE it is printed.
    """
    store = context.store(SITE, "receipt")
    place = _place(context, file, out, output)
    with store.open_blobs() as blobs:
        data = write_receipt(store, blobs, context.now())
    if place is None:
        click.echo(data.decode())
        return
    write_file(place, data, mode=0o644)
    context.say(
        f"wrote {place}; next, at the publisher: airstore media create --to V --receipt {place.name} OUT"
    )


def _place(context: Context, file: Path | None, out: Path | None, output: str) -> Path | None:
    """Where it goes; None for standard output. ``-o FILE`` is of the time before ``-o`` was a form."""
    if output in {"table", "wide", "yaml"}:
        raise UsageError(f"a receipt has no form {output!r}: it is signed as it is", hint="leave out -o")
    if output != "json" and file is None and out is None:
        context.say(f"deprecated: -o {output}; write: airstore receipt {output}")
        return Path(output)
    if output != "json" or (file and out):
        raise UsageError("a receipt goes to one file", hint="airstore receipt FILE")
    return file or out
