"""What is said of attachments that did not travel: the images did, and somebody may want to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airstore.cli.context import Context
from airstore.core.image.unavailable import Unavailable
from airstore.core.model.release import Release

if TYPE_CHECKING:
    from airstore.registry.push.push import PushResult


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
