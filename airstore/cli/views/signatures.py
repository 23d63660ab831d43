"""Upstream signatures, as `release show` says them."""

from __future__ import annotations

import click

from airstore.cli.text import printable
from airstore.cli.views.output import shortened
from airstore.core.model.release import Release


def show_signatures(release: Release) -> None:
    """Which upstream signatures the publisher verified; nothing where the product file asks for none."""
    for image in release.images:
        for signature in image.signatures:
            named = f", signed as {signature.signed_as}" if signature.signed_as else ""
            text = f"{image.reference} is signed upstream by {signature}{named}"
            click.echo(printable(shortened(text)))
    unsigned = [image for image in release.images if not image.signatures]
    if unsigned and len(unsigned) < len(release.images):
        click.echo(f"upstream signatures of {len(unsigned)} images were not asked for")
