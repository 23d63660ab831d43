"""Ending a command before it changes anything."""

from __future__ import annotations

from collections.abc import Iterable

from airstore.core.errors import DeployError


def stop_at(found: Iterable[str], said: str = "nothing was changed", hint: str = "") -> None:
    """End with everything that stands in the way, if anything does; ``said`` is what became of it.

    Raises:
        DeployError: something does.
    """
    if listed := "\n".join(f"  {problem}" for problem in found):
        raise DeployError(f"{said}: prerequisites are missing\n{listed}", hint=hint)
