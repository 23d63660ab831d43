"""Images that rendered manifests name and the release does not carry: no node will ever pull them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airstore.charts.images.documents import find_images
from airstore.charts.images.finding import show_path
from airstore.core.image.reference import Reference
from airstore.core.model.release import Image, Release
from airstore.deploy.model.target import ReleaseTarget, object_name


def strangers(targets: Iterable[ReleaseTarget], release: Release, place: str | None) -> Iterator[str]:
    """Images of containers that the release lacks, though their host says that it should have them.

    Images of any other host are the site's own business: its values may add what the vendor never knew.

    Args:
        targets: Helm releases as they are to run.
        release: carries images.
        place: ``HOST[/PREFIX]`` of the site's registry; None where it has none.
    """
    hosts = {image.reference.host for image in release.images}
    for target, document, where, reference in _certain(targets):
        ours = reference.host in hosts or _below(reference, place)
        if ours and find(reference, release, place) is None:
            what = f"{document.get('kind')} {object_name(document)}: {where}"
            yield f"{target.running.key}: {what}: the release does not carry {reference}"


def samples(
    targets: Iterable[ReleaseTarget], release: Release, place: str | None, *, every: bool = False
) -> list[str]:
    """Images that tell whether a node can pull: the smallest of each host, or ``every`` one."""
    chosen: dict[str, tuple[int, str]] = {}
    for _, _, _, reference in _certain(targets):
        image = find(reference, release, place)
        if image:
            sample = (sum(blob.size for blob in image.blobs), str(reference))
            key = str(reference) if every else reference.host
            chosen[key] = min(chosen.get(key, sample), sample)
    return sorted(reference for _, reference in chosen.values())


def used(targets: Iterable[ReleaseTarget], release: Release, place: str | None) -> list[Image]:
    """Images of the release that containers of these Helm releases run."""
    found = (find(reference, release, place) for _, _, _, reference in _certain(targets))
    return list(dict.fromkeys(image for image in found if image))


def find(reference: Reference, release: Release, place: str | None) -> Image | None:
    """The release's image that a rendered reference means, upstream's or the site's; None if it has none."""
    below = _below(reference, place)
    path = reference.name.removeprefix(f"{place}/") if below else reference.path
    for image in release.images:
        named = image.reference.path == path and (below or image.reference.host == reference.host)
        if named and _same(reference, image):
            return image
    return None


def _below(reference: Reference, place: str | None) -> bool:
    return place is not None and reference.name.startswith(f"{place}/")


def _certain(
    targets: Iterable[ReleaseTarget],
) -> Iterator[tuple[ReleaseTarget, dict[str, Any], str, Reference]]:
    for target in targets:
        for document in target.documents():
            for hit in find_images(document):
                if hit.confidence == "certain":
                    yield target, document, show_path(hit.path), hit.reference


def _same(reference: Reference, image: Image) -> bool:
    if reference.digest:
        return reference.digest in {blob.digest for blob in image.blobs}
    return reference.tag in image.tags
