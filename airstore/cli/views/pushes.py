"""What a push did: messages about what the registry refused, and the fields of its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airstore.cli.context import Context
from airstore.cli.views.attachments import say_unattached

if TYPE_CHECKING:
    from airstore.ops.registry.push import RegistryPlan
    from airstore.registry.push.push import PushResult


def say_refused(context: Context, result: PushResult) -> None:
    """Say what the registry has otherwise than the release, or not at all."""
    for other in result.substituted:
        context.say(
            f"the registry refuses incomplete indexes: {other.repository}:{other.tag} is "
            f"{other.manifest.platform or other.manifest.digest.short} alone, not index {other.index.short}"
        )
    say_unattached(context, result)


def push_fields(version: str, summary: RegistryPlan, result: PushResult, output: str) -> dict[str, Any]:
    """Of schema ``registry-push``; a table names what was refused in a line, documents with the reasons."""
    refused = [{"repository": e.repository, "digest": str(e.digest), "why": e.why} for e in result.unattached]
    left: dict[str, Any] = {"unattached": refused}
    if output == "table":
        left = {"unattached": [f"{e['repository']}@{e['digest']}" for e in refused]} if refused else {}
    done = {"uploaded": len(result.uploaded), "mounted": len(result.mounted), "tags": len(result.tags)}
    return {"release": version, **summary.summary(), **done, **left, "state": "read back"}
