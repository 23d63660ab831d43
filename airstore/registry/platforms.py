"""Which children of an index travel; pure."""

from __future__ import annotations

from collections.abc import Sequence

from airstore.core.image.descriptor import Descriptor, Platform

_SUBJECT = "vnd.docker.reference.digest"  # BuildKit's attestation manifests name what they attest


def select(
    children: Sequence[Descriptor], platforms: Sequence[Platform]
) -> tuple[list[Descriptor], list[Descriptor]]:
    """Split an index's children into those that travel and those left out."""
    if not platforms:
        return list(children), []
    kept = {child.digest for child in children if not attests(child) and _wanted(child, platforms)}
    listed = {child.digest for child in children}
    for child in filter(attests, children):
        subject = child.annotations.get(_SUBJECT)
        if subject not in listed or subject in kept:
            kept.add(child.digest)
    chosen = [child for child in children if child.digest in kept]
    return chosen, [child for child in children if child.digest not in kept]


def attests(child: Descriptor) -> bool:
    """Whether an index lists it as something about its other children, as BuildKit does."""
    return child.platform is not None and (child.platform.os, child.platform.architecture) == ("unknown",) * 2


def _wanted(child: Descriptor, platforms: Sequence[Platform]) -> bool:
    return child.platform is None or any(child.platform.matches(wanted) for wanted in platforms)


def same_machine(platform: Platform, wanted: Platform) -> bool:
    """Whether both are one operating system and architecture."""
    # Builders often leave the variant out of the config, so it does not count here.
    own, other = platform.canonical, wanted.canonical
    return (own.os, own.architecture) == (other.os, other.architecture)
