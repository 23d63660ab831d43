"""OCI image layouts, as a directory or a tar (image-spec, image-layout.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Self

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest, verified
from airstore.core.image.oci import Manifest
from airstore.core.image.reference import Reference
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.registry.source import REF_NAME, PartialListError
from airstore.registry.sources.files import DirectoryFiles, Files, TarFiles, read_small
from airstore.registry.sources.names import CONTAINERD_NAME, NameIndex, attachment_subject, names_of


class OciLayout:
    """An `ImageSource` on an OCI layout; also reads any of its blobs, verified, by digest alone.

    A whole layout is taken as it was when it was opened; it must not change meanwhile.
    """

    def __init__(self, files: Files) -> None:
        """Read ``oci-layout``, which skopeo does without, and ``index.json``.

        Raises:
            NotFoundError: the files are not an OCI layout.
            DamagedError: they are one, but not a proper one.
        """
        self.name = files.name
        self._files = files
        if files.size("oci-layout") is not None:
            _check_version(read_small(files, "oci-layout", LIMITS.manifest), self.name)
        elif files.size("index.json") is None:
            raise NotFoundError(f"{self.name} is not an OCI layout: it has no file oci-layout")
        index = read_small(files, "index.json", LIMITS.manifest)
        self._entries = oci.parse(index, oci.OCI_INDEX, f"{self.name}: index.json").manifests
        self._parsed: dict[Digest, Manifest] = {}

    @classmethod
    def directory(cls, path: Path) -> Self:
        """Open a layout's directory; raises as the constructor does."""
        return cls._opened(DirectoryFiles(path))

    @classmethod
    def archive(cls, path: Path) -> Self:
        """Open a layout's tar; raises as the constructor and `TarFiles` do."""
        return cls._opened(TarFiles(path))

    @classmethod
    def _opened(cls, files: Files) -> Self:
        try:
            return cls(files)
        except BaseException:
            files.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the directory or the tar."""
        self._files.close()

    def resolve(self, reference: Reference) -> Descriptor:
        """See `ImageSource`; how references are matched is in `airstore.registry.sources.names`."""
        faults: list[AirstoreError] = []
        if reference.digest is None:
            return _bare(self._choose(reference, faults))
        for entry in self._listed(faults):
            if entry.digest == reference.digest:
                return _bare(entry)
        if faults:
            raise faults[0]
        raise NotFoundError(f"{self.name} does not list {reference.digest}, which {reference} asks for")

    def open(self, reference: Reference, blob: Descriptor) -> Iterator[bytes]:  # noqa: ARG002 - see `ImageSource`
        """See `ImageSource`."""
        return self._files.stream(_path(blob.digest))

    def referrers(self, reference: Reference, subject: Digest) -> list[Descriptor]:  # noqa: ARG002
        """See `ImageSource`."""
        attached, unreadable = self._attachments
        faults = [fault for digest, fault in unreadable if digest != subject]
        found = list(attached.get(subject, ()))
        for entry in self._listings.get(subject, ()):
            listing = self._readable(entry, faults)
            found += listing.manifests if listing else ()
        unique = list({entry.digest: entry for entry in found}.values())
        if faults:
            raise PartialListError(str(faults[0]), unique)
        return unique

    def size(self, digest: Digest) -> int | None:
        """Size of a blob in bytes; None where the layout does not have it."""
        return self._files.size(_path(digest))

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """A blob's bytes from ``start`` to ``stop``, verified.

        A part cannot be verified by itself: the whole blob is read, and the end of the part is held
        until the blob has proved to be intact.

        Raises:
            NotFoundError: the layout does not have it.
            DamagedError: it has other content.
        """
        size = self.size(digest)
        if size is None:
            raise NotFoundError(f"{self.name} does not have {digest}")
        chunks = verified(self._files.stream(_path(digest)), digest, size)
        yield from window(chunks, start, size if stop is None else stop)

    def _choose(self, reference: Reference, faults: list[AirstoreError]) -> Descriptor:
        """An entry that cannot be read may be an image or an attachment; it counts if its name says which."""
        images, attached, unreadable = self._images
        faults += unreadable
        try:
            return images.choose(reference, self.name)
        except NotFoundError as fault:
            with suppress(NotFoundError):
                return attached.choose(reference, self.name)
            raise (faults or [fault])[0] from None

    @cached_property
    def _images(self) -> tuple[NameIndex, NameIndex, list[AirstoreError]]:
        """Images, attached ones that have names all the same, and why others cannot be read."""
        images, attached, faults = list[Descriptor](), list[Descriptor](), list[AirstoreError]()
        for entry in self._entries:
            if entry.media_type not in oci.DOCUMENTS or attachment_subject(entry) is not None:
                continue
            document = self._readable(entry, faults)
            if document.subject is None if document else names_of(entry):
                images.append(entry)
            elif names_of(entry):
                attached.append(entry)
        return NameIndex(images), NameIndex(attached), faults

    @cached_property
    def _attachments(self) -> tuple[dict[Digest, list[Descriptor]], list[tuple[Digest, AirstoreError]]]:
        """Subject to what is attached to it, each with its tag; and what cannot be read, with why."""
        found: dict[Digest, list[Descriptor]] = {}
        unreadable: list[tuple[Digest, AirstoreError]] = []
        for entry in self._entries:
            faults = list[AirstoreError]()
            subject = self._subject(entry, faults)
            if subject is not None and subject != entry.digest:
                found.setdefault(subject, []).append(_with_tag(entry))
            unreadable += ((entry.digest, fault) for fault in faults)
        return found, unreadable

    @cached_property
    def _listings(self) -> dict[Digest, list[Descriptor]]:
        """Subject to the indexes of what is attached to it, which a tag without a suffix leads to."""
        found: dict[Digest, list[Descriptor]] = {}
        for entry in self._entries:
            tagged = attachment_subject(entry)
            if tagged and not tagged[1] and entry.media_type in oci.INDEXES:
                found.setdefault(tagged[0], []).append(entry)
        return found

    def _subject(self, entry: Descriptor, faults: list[AirstoreError]) -> Digest | None:
        """What an entry is attached to, by its tag or by what it says; None where it is an image."""
        tagged = attachment_subject(entry)
        if tagged is not None:
            return tagged[0] if tagged[1] else None
        if entry.media_type not in oci.DOCUMENTS:
            return None
        # What has a name of its own is an image: that it cannot be read hides no attachment.
        document = self._readable(entry, [] if names_of(entry) else faults)
        return document.subject.digest if document and document.subject else None

    def _listed(self, faults: list[AirstoreError]) -> Iterator[Descriptor]:
        """Every manifest and index that the layout's index leads to; those of each level first."""
        seen: set[Digest] = set()
        level: Iterable[Descriptor] = self._entries
        for _ in range(LIMITS.index_depth):
            new = {entry.digest: entry for entry in level if entry.media_type in oci.DOCUMENTS}
            fresh = [entry for digest, entry in new.items() if digest not in seen]
            seen |= new.keys()
            yield from fresh
            documents = [self._readable(e, faults) for e in fresh if e.media_type in oci.INDEXES]
            level = [child for document in documents if document for child in document.manifests]

    def _readable(self, entry: Descriptor, faults: list[AirstoreError]) -> Manifest | None:
        """A document; None, and a fault noted, where it is not there or damaged: another may be meant."""
        try:
            return self._document(entry)
        except (NotFoundError, DamagedError) as fault:
            faults.append(fault)
            return None

    def _document(self, entry: Descriptor) -> Manifest:
        if entry.digest not in self._parsed:
            what = f"{self.name}: {entry.digest}"
            path = _path(entry.digest)
            if entry.size > LIMITS.manifest:
                raise DamagedError(f"{what} is {entry.size} bytes; at most {LIMITS.manifest}")
            data = b"".join(verified(self._files.stream(path), entry.digest, entry.size, self.name))
            self._parsed[entry.digest] = oci.parse(data, entry.media_type, what)
        return self._parsed[entry.digest]


def _path(digest: Digest) -> str:
    return f"blobs/sha256/{digest.hex}"


def _bare(entry: Descriptor) -> Descriptor:
    """Without what only this layout says: an image is described alike wherever it comes from."""
    return Descriptor(entry.media_type, entry.digest, entry.size)


def _with_tag(entry: Descriptor) -> Descriptor:
    """A referrer with the tag that leads to it, if it is one of cosign's, and no other name."""
    kept = {key: value for key, value in entry.annotations.items() if key not in {REF_NAME, CONTAINERD_NAME}}
    tag = entry.annotations[REF_NAME].rpartition(":")[2] if attachment_subject(entry) else ""
    return replace(entry, annotations=kept | ({REF_NAME: tag} if tag else {}))


def _check_version(data: bytes, name: str) -> None:
    version = strictjson.load_object(data, f"{name}: oci-layout").get("imageLayoutVersion")
    if not str(version).startswith("1."):  # the specification keeps to its major version
        raise DamagedError(f"{name}: OCI layout version {version!r}; only versions 1 are known")


def window(chunks: Iterator[bytes], start: int, stop: int) -> Iterator[bytes]:
    """The bytes from ``start`` to ``stop``; the last of them only after the input has ended well."""
    position, held = 0, b""
    for chunk in chunks:
        part = chunk[max(start - position, 0) : max(stop - position, 0)]
        position += len(chunk)
        if part:
            if held:
                yield held
            held = part
    if held:
        yield held
