"""Reading an image's documents from the root down, then what is attached to them; used by `graph`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import field, replace

from airstore.core.errors import DamagedError, NotFoundError, TransferError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor, Platform
from airstore.core.image.digest import Digest, verified
from airstore.core.image.oci import Manifest
from airstore.core.image.reference import Reference
from airstore.core.image.unavailable import Unavailable
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.registry.faults import RefusedError
from airstore.registry.platforms import attests, same_machine, select
from airstore.registry.source import ImageSource, PartialListError

SOURCE_FAULTS = (NotFoundError, DamagedError, TransferError)
"""What a source may answer where an optional part is asked for; none of it stops the image."""


class ForeignLayerError(NotFoundError):
    """A layer is kept elsewhere (``urls``), and the source does not hold its bytes."""


@frozen
class Collected:
    """Documents and blobs so far; a copy of it is what an optional part that fails falls back to."""

    blobs: dict[Digest, Descriptor] = field(default_factory=dict)
    documents: dict[Digest, bytes] = field(default_factory=dict)
    parsed: dict[Digest, Manifest] = field(default_factory=dict)
    missing: dict[Digest, Descriptor] = field(default_factory=dict)
    document_bytes: int = 0

    def copy(self) -> Collected:
        """A snapshot."""
        return Collected(
            dict(self.blobs),
            dict(self.documents),
            dict(self.parsed),
            dict(self.missing),
            self.document_bytes,
        )


@frozen
class Optional:
    """An optional part that could be read: its root, what it belongs to, whether an index lists it."""

    root: Descriptor
    subject: Digest
    listed: bool


def read_document(source: ImageSource, reference: Reference, descriptor: Descriptor) -> bytes:
    """The verified bytes of a manifest, index or config.

    Raises:
        DamagedError: larger than registries accept, or not what the descriptor says.
    """
    what = f"{reference}: {descriptor.media_type}"
    if descriptor.size > LIMITS.manifest:
        raise DamagedError(
            f"{what} {descriptor.digest} is {descriptor.size} bytes; at most {LIMITS.manifest}"
        )
    chunks = source.open(reference, descriptor)
    return b"".join(verified(chunks, descriptor.digest, descriptor.size, what))


class Walker:
    """One image's documents.

    Attributes:
        found: what was read.
        referrers: manifests attached to something that travels, in the order found.
        optional: the parts of ``found`` that the image can do without, each after what it belongs to.
        unavailable: those that could not be had.
    """

    def __init__(self, source: ImageSource, reference: Reference, platforms: Sequence[Platform]) -> None:
        self._source = source
        self._reference = reference
        self._platforms = platforms
        self.found = Collected()
        self.referrers: dict[Digest, Descriptor] = {}
        self.optional: list[Optional] = []
        self.unavailable: list[Unavailable] = []

    def visit(self, descriptor: Descriptor, depth: int, *, selective: bool) -> Manifest:
        """Read one document and everything below it, once."""
        known = self.found.parsed.get(descriptor.digest)
        if known is not None:
            self._same(descriptor, known.media_type)
            return known
        if depth > LIMITS.index_depth:
            raise DamagedError(f"{self._reference}: indexes are nested deeper than {LIMITS.index_depth}")
        manifest = self._read(descriptor)
        for blob in manifest.blobs:
            self._check_held(blob, descriptor.digest)
            self._add(blob)
        chosen, left = select(manifest.manifests, self._platforms if selective else ())
        for child in chosen:
            self._visit_child(descriptor.digest, child, depth + 1, selective=selective)
        self.found.missing.update({child.digest: child for child in left})
        return manifest

    def attach(self) -> None:
        """Find what is attached to every document that travels, and to that in turn."""
        level = list(self.found.documents)
        for _ in range(LIMITS.index_depth):
            before = set(self.found.documents)
            for subject, descriptor in [pair for one in level for pair in self._attached_to(one)]:
                if self._visit_optional(subject, descriptor, 0, listed=False):
                    self.referrers.setdefault(descriptor.digest, descriptor)
            level = [digest for digest in self.found.documents if digest not in before]
            if not level:
                return
        deep = f"referrers are nested deeper than {LIMITS.index_depth}"
        self.unavailable += [Unavailable(digest, None, "listing", deep) for digest in level]

    def below(self, digest: Digest, without: Collection[Digest] = ()) -> dict[Digest, Descriptor]:
        """A document and all below it that was read, but for the documents in ``without``."""
        manifest = self.found.parsed[digest]
        blobs = {entry.digest: self.found.blobs[entry.digest] for entry in manifest.blobs}
        blobs[digest] = self.found.blobs[digest]
        for child in manifest.manifests:
            if child.digest in self.found.parsed and child.digest not in without:
                blobs |= self.below(child.digest, without)
        return blobs

    def check_platforms(self, root: Descriptor) -> None:
        """Nodes refuse an image that is for none of their platforms; better to refuse it here.

        Raises:
            NotFoundError: the index has no such child, or a single manifest's config says otherwise.
        """
        manifest = self.found.parsed[root.digest]
        if manifest.media_type in oci.INDEXES:
            offered = [child for child in manifest.manifests if not attests(child)]
            fits = not offered or any(child.digest in self.found.documents for child in offered)
            names = {str(child.platform) for child in offered}
        else:
            platform = self._config_platform(manifest.config)
            names = {str(platform)}
            fits = platform is None or any(same_machine(platform, wanted) for wanted in self._platforms)
        if self._platforms and not fits:
            wanted = " or ".join(map(str, self._platforms))
            offer = ", ".join(sorted(names))
            raise NotFoundError(f"{self._reference} is not there for {wanted}", hint=f"it is for {offer}")
        if not fits:
            reasons = "; ".join(part.why for part in self.unavailable if part.subject == root.digest)
            raise NotFoundError(f"{self._reference} has nothing that can be shipped: {reasons}")

    def _config_platform(self, config: Descriptor | None) -> Platform | None:
        if not self._platforms or config is None or config.media_type not in oci.IMAGE_CONFIGS:
            return None
        data = read_document(self._source, self._reference, config)
        document = strictjson.load_object(data, f"{self._reference}: config {config.digest}")
        system, architecture = (document.get(key) for key in ("os", "architecture"))
        return Platform(str(system), str(architecture)) if system and architecture else None

    def _visit_child(self, index: Digest, child: Descriptor, depth: int, *, selective: bool) -> None:
        if child.media_type not in oci.DOCUMENTS:
            self._leave(index, child, "kind", f"an index lists it as {child.media_type!r}")
            return
        if attests(child):
            self._visit_optional(index, child, depth, listed=True)
            return
        before = self.found.copy()
        try:
            self.visit(child, depth, selective=selective)
        except ForeignLayerError as fault:
            if self._platforms:  # asked for by name; where nothing is said, what can travel does
                raise
            self.found = before
            self._leave(index, child, "foreign", str(fault))
        except NotFoundError as fault:
            raise self._absent(child, fault) from fault

    def _absent(self, child: Descriptor, fault: NotFoundError) -> NotFoundError:
        if self._platforms or child.platform is None:
            return fault
        hint = (
            f"the source lists {child.platform} but does not hold it; name the platforms that the product"
            " needs under 'platforms' in the product file"
        )
        return type(fault)(str(fault), hint=fault.hint or hint)

    def _visit_optional(self, subject: Digest, root: Descriptor, depth: int, *, listed: bool) -> bool:
        """Read an optional part; where that fails all is as before, and the fault is noted."""
        before, parts = self.found.copy(), len(self.optional)
        try:
            manifest = self.visit(root, depth, selective=False)
            if not listed:
                self._check_subject(subject, manifest, root)
        except SOURCE_FAULTS as fault:
            self.found = before
            del self.optional[parts:]
            if listed:
                self._leave(subject, root, "content", str(fault))
            else:
                self.unavailable.append(Unavailable(subject, root.digest, "content", str(fault)))
            return False
        self.optional.append(Optional(root, subject, listed))
        return True

    def _leave(self, index: Digest, child: Descriptor, reason: str, why: str) -> None:
        self.found.missing[child.digest] = child
        self.unavailable.append(Unavailable(index, child.digest, reason, why))

    def _read(self, descriptor: Descriptor) -> Manifest:
        total = self.found.document_bytes + descriptor.size
        if len(self.found.documents) >= LIMITS.image_documents or total > LIMITS.json_document:
            raise DamagedError(f"{self._reference} has too many manifests and referrers")
        data = read_document(self._source, self._reference, descriptor)
        what = f"{self._reference}: {descriptor.digest}"
        manifest = oci.parse(data, descriptor.media_type, what)
        self.found = replace(self.found, document_bytes=total)
        descriptor = replace(descriptor, media_type=manifest.media_type)
        self._add(descriptor)
        # A digest first met as some manifest's layer is served as what it is.
        self.found.blobs[descriptor.digest] = descriptor
        self.found.documents[descriptor.digest] = data
        self.found.parsed[descriptor.digest] = manifest
        return manifest

    def _check_held(self, blob: Descriptor, manifest: Digest) -> None:
        """A foreign layer may be left out of a registry; where the bytes are there, it is like any other."""
        if not blob.foreign or blob.digest in self.found.blobs:
            return
        stream = iter(self._source.open(self._reference, blob))
        try:
            next(stream, b"")
        except (NotFoundError, RefusedError) as fault:
            raise ForeignLayerError(
                f"{self._reference}: {manifest}: the layer {blob.digest} is foreign (urls): its makers keep"
                " it elsewhere, and the source does not hold its bytes",
                hint="leave its platform out with 'platforms' in the product file, or put the image with all"
                " of its layers into a registry or layout and name that under images.sources",
            ) from fault

    def _add(self, blob: Descriptor) -> None:
        known = self.found.blobs.setdefault(blob.digest, blob)
        if known.size != blob.size:
            raise DamagedError(f"{self._reference}: {blob.digest} is both {known.size} and {blob.size} bytes")

    def _same(self, descriptor: Descriptor, media_type: str) -> None:
        self._add(descriptor)
        if descriptor.media_type != media_type:
            both = f"{media_type!r} and {descriptor.media_type!r}"
            raise DamagedError(f"{self._reference}: {descriptor.digest} is listed as {both}")

    def _attached_to(self, subject: Digest) -> list[tuple[Digest, Descriptor]]:
        found, why = self._referrers(subject)
        if why:
            self.unavailable.append(Unavailable(subject, None, "listing", why))
        return [(subject, each) for each in found]

    def _referrers(self, subject: Digest) -> tuple[Sequence[Descriptor], str | None]:
        try:
            return self._source.referrers(self._reference, subject), None
        except PartialListError as fault:
            return fault.found, str(fault)
        except SOURCE_FAULTS as fault:
            return (), str(fault)

    def _check_subject(self, subject: Digest, manifest: Manifest, descriptor: Descriptor) -> None:
        # Cosign's tag scheme has no subject field; the tag is the only link there.
        if manifest.subject is not None and manifest.subject.digest != subject:
            message = f"{descriptor.digest} was given as attached to {subject}"
            raise DamagedError(f"{self._reference}: {message} but says {manifest.subject.digest}")
