"""``airstore receipt``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.core.durable import write_file
from airstore.ops.media.receipts import write_receipt
from airstore.ops.stores.directory import SITE


@click.command("receipt")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@pass_context
def command(context: Context, out: Path | None) -> None:
    """Write the signed statement of what this site holds, for `media create --receipt`."""
    store = context.store(SITE, "receipt")
    with store.open_blobs() as blobs:
        data = write_receipt(store, blobs)
    if out is None:
        click.echo(data.decode())
        return
    write_file(out, data, mode=0o644)
    context.say(
        f"wrote {out}; bring it to the publisher: airstore media create --to V --receipt {out.name} OUT"
    )
