"""Images that rendered manifests name and the release does not carry: no node will ever pull them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airstore.charts.documents import find_images
from airstore.charts.finding import show_path
from airstore.core.reference import Reference
from airstore.core.release import Image, Release
from airstore.deploy.target import Target, object_name


def strangers(targets: Iterable[Target], release: Release, place: str) -> Iterator[str]:
    """Images of containers that the release lacks, though their host says that it should have them.

    Images of any other host are the site's own business: its values may add what the vendor never knew.

    Args:
        targets: Helm releases as they are to run.
        release: carries images.
        place: ``HOST[/PREFIX]`` of the site's registry; may be empty.
    """
    for target in targets:
        for document in target.documents():
            for where, reference in _certain(document):
                if not _known(reference, release, place):
                    what = f"{document.get('kind')} {object_name(document)}: {where}"
                    yield f"{target.running.key}: {what}: the release does not carry {reference}"


def _certain(document: dict[str, Any]) -> Iterator[tuple[str, Reference]]:
    for hit in find_images(document):
        if hit.confidence == "certain":
            yield show_path(hit.path), hit.reference


def _known(reference: Reference, release: Release, place: str) -> bool:
    if place and reference.name.startswith(f"{place}/"):
        path = reference.name.removeprefix(f"{place}/")
        return any(image.repository == path and _same(reference, image) for image in release.images)
    upstream = [image for image in release.images if image.reference.host == reference.host]
    same = (image for image in upstream if image.reference.path == reference.path)
    return not upstream or any(_same(reference, image) for image in same)


def _same(reference: Reference, image: Image) -> bool:
    if reference.digest:
        return reference.digest in {blob.digest for blob in image.blobs}
    return reference.tag in image.tags
