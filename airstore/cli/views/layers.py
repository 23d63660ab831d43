"""How layers are held, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from airstore.cli.text import printable
from airstore.cli.views.output import shortened, show_rows
from airstore.ops.stores.releases.layers import Layer

_COLUMNS = {
    "digest": "LAYER", "size": "SIZE", "held": "HELD", "encoder": "ENCODER", "plain_size": "PLAIN",
    "side_size": "SIDE DATA", "artifact": "FIRST IN",
}  # fmt: skip


def layer_row(layer: Layer) -> dict[str, Any]:
    """One layer as ``schemas/output/release-contents.schema.json`` has it."""
    opened = layer.form.opened
    return {
        "digest": str(layer.blob.digest),
        "size": layer.blob.size,
        "media_type": layer.blob.media_type,
        "artifact": layer.artifact,
        "held": layer.form.word,
        "encoder": opened.encoder if opened else None,
        "plain_size": opened.plain_size if opened else None,
        "side_size": opened.side_size if opened else None,
        "why": layer.why or None,
    }


def show_layers(rows: Sequence[dict[str, Any]]) -> None:
    """The table, and under it why layers stay whole."""
    if not rows:
        return
    click.echo()
    show_rows(rows, "table", _COLUMNS)
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["why"]:
            reasons.setdefault(row["why"], []).append(row["digest"])
    for why, digests in reasons.items():
        more = f" and {len(digests) - 1} more" if len(digests) > 1 else ""
        click.echo(f"layer {printable(shortened(digests[0]))}{more} is held whole: {printable(why)}")
