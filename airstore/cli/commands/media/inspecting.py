"""``airstore media inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.views.media import described, show_summary
from airstore.cli.views.output import output_option, show_fields
from airstore.core.errors import DamagedError, IncompleteError, StorageError
from airstore.core.image.digest import Digest
from airstore.media.found import find_one
from airstore.media.index import MediaIndex
from airstore.media.reader import Media
from airstore.ops.media.costs import NONE, costs


@click.command("inspect")
@click.argument("media", type=click.Path(path_type=Path), nargs=-1, required=True)
@output_option("media-summary")
@pass_context
def command(context: Context, media: tuple[Path, ...], output: str) -> None:
    """What MEDIA claim to carry; signatures are not checked here. One volume of several will do."""
    opened = find_one(*media)
    index = opened.claimed_index()
    context.say("claimed, not verified: see `airstore media verify`")
    digest = {"index_digest": str(Digest.of(opened.envelope))}
    document = {**described(index), **digest, **_costs(context, opened, index)}
    if output == "table":
        show_summary(document)
        return
    show_fields(document, output)


def _costs(context: Context, media: Media, index: MediaIndex) -> dict[str, Any]:
    try:
        found = costs(media, index)
    except (DamagedError, IncompleteError, StorageError) as fault:
        context.say(f"what made these media large cannot be read: {fault}")
        found = NONE
    return {"images": found["images"], "largest": found["files"]}
