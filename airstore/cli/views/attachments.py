"""What is said of attachments: signatures that were verified, and what did not travel with an image."""

from __future__ import annotations

import click

from airstore.cli.context import Context
from airstore.cli.text import printable
from airstore.cli.views.output import shortened
from airstore.core.image.unavailable import Unavailable
from airstore.core.model.release import Release
from airstore.registry.push.push import PushResult


def show_signatures(release: Release) -> None:
    """Which upstream signatures the publisher verified; nothing where the product file asks for none."""
    for image in release.images:
        for signature in image.signatures:
            named = f", signed as {signature.signed_as}" if signature.signed_as else ""
            text = f"{image.reference} is signed upstream by {signature.key} ({signature.fingerprint})"
            click.echo(printable(shortened(f"{text} in {signature.digest}{named}")))
    unsigned = [image for image in release.images if not image.signatures]
    if unsigned and len(unsigned) < len(release.images):
        click.echo(f"upstream signatures of {len(unsigned)} images were not asked for")


def say_unattached(context: Context, result: PushResult) -> None:
    """Say which attachments the registry does not have."""
    for each in result.unattached:
        context.say(f"warning: {each.repository}: {each.digest} is attached to an image; {each.why}")


def say_unavailable(context: Context, release: Release) -> None:
    """Say which optional parts are not in the release, each image's in as few lines as there are reasons."""
    for image in release.images:
        groups: dict[tuple[str, str], list[Unavailable]] = {}
        for part in image.unavailable:
            groups.setdefault((part.reason, part.why), []).append(part)
        for (_, why), parts in groups.items():
            more = f" (and {len(parts) - 1} more)" if len(parts) > 1 else ""
            context.say(f"warning: {image.reference} travels without {parts[0]}{more}: {why}")
