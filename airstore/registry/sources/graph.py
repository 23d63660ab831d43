"""Everything an image consists of: its index, manifests, configs, layers, and what is attached to them.

Digests make cycles impossible, but not wide or deep graphs; every bound is in `core.limits`. What is
attached, and what an index attests, is optional: where it cannot be had, the image travels without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor, Platform
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.image.unavailable import Unavailable
from airstore.registry.platforms import select
from airstore.registry.source import ImageSource
from airstore.registry.sources.walker import Walker, read_document

__all__ = ["ImageGraph", "OptionalPart", "read_document", "select", "walk"]


@frozen
class OptionalPart:
    """An optional part of an image.

    Attributes:
        root: its manifest or index.
        subject: what it is attached to, or the index that lists it.
        blobs: all that it consists of, ``root`` included.
        listed: an index lists it.
    """

    root: Descriptor
    subject: Digest
    blobs: tuple[Descriptor, ...]
    listed: bool


@frozen
class ImageGraph:
    """What travels for one image.

    Attributes:
        root: the manifest or index that the reference resolves to.
        blobs: everything that travels, documents and referrers included, each once, sorted by digest.
        documents: the bytes of every manifest and index among ``blobs``.
        referrers: manifests attached to something that travels, in the order found.
        missing: children of an index left out: of platforms that nobody asked for, and unavailable ones.
        core: what nothing can be left out of.
        parts: the rest, each after what it is attached to.
        unavailable: optional parts that could not be had.
    """

    root: Descriptor
    blobs: tuple[Descriptor, ...]
    documents: Mapping[Digest, bytes] = field(hash=False)
    referrers: tuple[Descriptor, ...]
    missing: tuple[Descriptor, ...]
    core: tuple[Descriptor, ...] = ()
    parts: tuple[OptionalPart, ...] = ()
    unavailable: tuple[Unavailable, ...] = ()

    def without(self, lost: Mapping[Digest, str]) -> ImageGraph:
        """The same without some parts, by the digest of their root, each with the reason for people."""
        if not lost:
            return self
        kept = [part for part in self.parts if part.root.digest not in lost]
        gone = [part for part in self.parts if part.root.digest in lost]
        blobs = {blob.digest: blob for blob in self.core}
        blobs |= {blob.digest: blob for part in kept for blob in part.blobs}
        new = [Unavailable(p.subject, p.root.digest, "content", lost[p.root.digest]) for p in gone]
        left = {part.root.digest: part.root for part in gone if part.listed}
        return ImageGraph(
            root=self.root,
            blobs=tuple(blobs[digest] for digest in sorted(blobs)),
            documents={digest: data for digest, data in self.documents.items() if digest in blobs},
            referrers=tuple(entry for entry in self.referrers if entry.digest not in lost),
            missing=(*self.missing, *left.values()),
            core=self.core,
            parts=tuple(kept),
            unavailable=(*self.unavailable, *new),
        )


def walk(source: ImageSource, reference: Reference, platforms: Sequence[Platform] = ()) -> ImageGraph:
    """Resolve a reference and read the whole graph below and around it.

    Args:
        source: where the image is.
        reference: which image.
        platforms: children of an index that travel; empty means all. Attestations go with what they
            attest. Children without a platform always travel.

    Raises:
        NotFoundError: no such image, none of its platforms is asked for, or a layer that is kept elsewhere.
        DamagedError: a document or descriptor is not acceptable; the message names it.
        TransferError: the source refused or broke off.
    """
    root = source.resolve(reference)
    if reference.digest not in {None, root.digest}:
        raise DamagedError(f"{reference}: the source answered with {root.digest}")
    walker = Walker(source, reference, platforms)
    walker.visit(root, depth=0, selective=True)
    walker.attach()
    walker.check_platforms(root)
    return _graph(walker, root)


def _graph(walker: Walker, root: Descriptor) -> ImageGraph:
    """What was found, in a fixed order."""
    found = walker.found
    parts = [
        OptionalPart(
            found.blobs[one.root.digest], one.subject, _sorted(walker.below(one.root.digest)), one.listed
        )
        for one in walker.optional
    ]
    core = walker.below(root.digest, {one.root.digest for one in walker.optional if one.listed})
    missing = [found.missing[digest] for digest in sorted(found.missing) if digest not in found.documents]
    return ImageGraph(
        root=found.blobs[root.digest],
        blobs=_sorted(found.blobs),
        documents=found.documents,
        referrers=tuple(walker.referrers.values()),
        missing=tuple(missing),
        core=_sorted(core),
        parts=tuple(parts),
        unavailable=tuple(walker.unavailable),
    )


def _sorted(blobs: Mapping[Digest, Descriptor]) -> tuple[Descriptor, ...]:
    return tuple(blobs[digest] for digest in sorted(blobs))
