"""Taking images and charts into the blob store, verified, each blob once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from airstore.charts.packages.resolve import ResolvedChart
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor, Platform
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.model.product import published_source
from airstore.core.model.release import Artifact, Chart, Image
from airstore.core.model.tags import settle_tags
from airstore.core.progress import Advance, Progress
from airstore.registry.source import ImageSource
from airstore.registry.sources.graph import ImageGraph, OptionalPart, walk
from airstore.registry.sources.walker import SOURCE_FAULTS
from airstore.store.blobs import BlobStore, BlobWriter


@frozen
class Wanted:
    """What is to be ingested.

    Attributes:
        platforms: of images, those that travel; all where there are none.
    """

    references: Sequence[Reference]
    charts: Sequence[ResolvedChart]
    platforms: Sequence[Platform]


@frozen
class Ingested:
    """What was ingested.

    Attributes:
        new_blobs: blobs the store did not have.
        new_bytes: what they added to the store, compressed.
    """

    images: tuple[Image, ...]
    charts: tuple[Chart, ...]
    new_blobs: int
    new_bytes: int


def ingest(
    store: BlobStore,
    wanted: Wanted,
    source: ImageSource,
    progress: Progress,
    accept: Callable[[Ingested], None],
    *,
    opening: bool = True,
) -> Ingested:
    """Take everything in; nothing becomes visible unless all of it arrives.

    Args:
        store: gets the blobs.
        wanted: images and charts.
        source: has the images.
        progress: shows each image.
        accept: looks at what would be ingested, and raises to refuse it.
        opening: open gzip layers and charts; see `BlobWriter`.

    Raises:
        NotFoundError: an image is in no source.
        DamagedError: a source holds other bytes than its digests say.
        TransferError: a source refused or broke off.
        UsageError: two images claim one place in the site's registry.
    """
    with store.writer(opening=opening) as writer:
        taker = _Taker(writer, progress)
        images = [
            taker.image(source, name, walk(source, name, wanted.platforms)) for name in wanted.references
        ]
        kept = [taker.chart(chart) for chart in wanted.charts]
        check_collisions([*images, *kept])
        taken = Ingested(tuple(images), tuple(kept), taker.new_blobs, writer.new_bytes)
        accept(taken)
    return replace(taken, new_bytes=writer.new_bytes)


def check_collisions(artifacts: Iterable[Artifact]) -> None:
    """The site's registry has no upstream hosts, so two hosts may claim one repository and tag there.

    Raises:
        UsageError: they do, with different content.
    """
    for place, one, other in settle_tags(artifacts).clashes:
        raise UsageError(
            f"{_name(one)} and {_name(other)} differ, but both would be "
            f"{place.repository}:{place.tag} at a site",
            hint="exclude one of them, pin one to its digest, or give it another tag upstream",
        )


class _Taker:
    def __init__(self, writer: BlobWriter, progress: Progress) -> None:
        self._writer, self._progress = writer, progress
        self.new_blobs = 0

    def image(self, source: ImageSource, reference: Reference, graph: ImageGraph) -> Image:
        total = sum(blob.size for blob in graph.blobs)
        with self._progress.task(str(reference).rpartition("/")[2], total) as advance:

            def put(blob: Descriptor) -> None:
                self._put(blob, partial(_content, source, reference, graph, blob, advance))

            for blob in graph.core:
                put(blob)
            whole = graph.without(_lost(graph.parts, put))
        return Image(reference, whole.root, whole.blobs, whole.referrers, whole.missing, whole.unavailable)

    def chart(self, resolved: ResolvedChart) -> Chart:
        artifact = resolved.artifact()
        for blob, data in artifact.contents.items():
            self._put(blob, partial(iter, (data,)))
        return Chart(
            resolved.name,
            resolved.version,
            published_source(resolved.name),
            artifact.root,
            artifact.archive,
            artifact.blobs,
        )

    def _put(self, blob: Descriptor, source: Callable[[], Iterable[bytes]]) -> None:
        self.new_blobs += self._writer.put(blob, source)


def _lost(parts: Iterable[OptionalPart], put: Callable[[Descriptor], None]) -> dict[Digest, str]:
    """Ingest the optional parts; those that cannot be had, and why. What hangs on one is lost with it."""
    lost: dict[Digest, str] = {}
    for part in parts:
        if part.subject in lost:
            lost[part.root.digest] = f"{part.subject}, which it is attached to, could not be read"
            continue
        try:
            for blob in part.blobs:
                put(blob)
        except SOURCE_FAULTS as fault:
            lost[part.root.digest] = str(fault)
    return lost


def _content(
    source: ImageSource, reference: Reference, graph: ImageGraph, blob: Descriptor, advance: Advance
) -> Iterator[bytes]:
    document = graph.documents.get(blob.digest)
    for chunk in source.open(reference, blob) if document is None else (document,):
        advance(len(chunk))
        yield chunk


def _name(artifact: Artifact) -> str:
    return f"image {artifact.reference}" if isinstance(artifact, Image) else f"chart {artifact.name}"
