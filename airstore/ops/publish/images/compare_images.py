"""``airstore images compare``: what a test cluster really runs against what a release brings.

Only this finds the images that an operator's program names: no manifest does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airstore.cluster.workloads.running import RunningImage
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.image.reference import Reference
from airstore.core.model.release import Image, Release

MISSING, IDLE, SAME = "not in the release", "does not run", "in both"


@frozen
class Compared:
    """One image.

    Attributes:
        image: as pods or the release have it.
        state: one of `MISSING`, `IDLE` and `SAME`.
        pods: who runs it, sorted.
        note: what else there is to say.
    """

    image: str
    state: str
    pods: tuple[str, ...] = ()
    note: str = ""


def compare(release: Release, running: Iterable[RunningImage]) -> list[Compared]:
    """What runs and is not in the release first, then what is in it and does not run, then the rest."""
    used: dict[Image, set[str]] = {}
    missing: dict[str, set[str]] = {}
    notes: dict[str, str] = {}
    for one in running:
        found = _find(release, one)
        if found is None:
            missing.setdefault(one.image, set()).add(one.pod)
            notes.setdefault(one.image, _near(release, one) or "")
        else:
            used.setdefault(found, set()).add(one.pod)
    rows = [
        Compared(image, MISSING, tuple(sorted(missing[image])), notes[image]) for image in sorted(missing)
    ]
    idle = [image for image in release.images if image not in used]
    rows += [Compared(str(image.reference), IDLE) for image in idle]
    rows += [Compared(str(image.reference), SAME, tuple(sorted(pods))) for image, pods in used.items()]
    return rows


def _find(release: Release, one: RunningImage) -> Image | None:
    """By what the node has, or the pod's own pin, where either is known; else by name."""
    pinned = _pin(one.image)
    digests = {digest for digest in (one.digest, pinned) if digest}
    for image in release.images:
        if digests & {str(blob.digest) for blob in image.blobs}:
            return image
    if digests:
        return None  # the name may be the same: it is another image all the same
    return next(_named(release, one), None)


def _pin(text: str) -> str | None:
    return text.partition("@")[2] or None


def _named(release: Release, one: RunningImage) -> Iterator[Image]:
    """Images of that name and tag, wherever the pod's registry is and below whichever path."""
    try:
        asked = Reference.parse(one.image)
    except UsageError:
        return
    for image in release.images:
        known = image.reference
        paths = known.path, known.path.removeprefix("library/")
        if asked.tag == known.tag and any(f"/{asked.path}".endswith(f"/{path}") for path in paths):
            yield image


def _near(release: Release, one: RunningImage) -> str | None:
    named = next(_named(release, one), None)
    return f"the release has another image of this name: {named.root.digest}" if named else None
