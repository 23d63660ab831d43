"""Where images come from: a registry, an OCI layout, a docker archive; all behind one interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from airstore.core.errors import TransferError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference

REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation that carries a tag; on a referrer's descriptor it is the tag that leads to it."""


class PartialListError(TransferError):
    """Not all that is attached could be listed.

    Attributes:
        found: what could.
    """

    def __init__(self, message: str, found: Sequence[Descriptor]) -> None:
        super().__init__(message)
        self.found = tuple(found)


class ImageSource(Protocol):
    """Something that holds images under references."""

    def resolve(self, reference: Reference) -> Descriptor:
        """The manifest or index that a reference stands for.

        Raises:
            NotFoundError: the source does not hold it.
            TransferError: the source refused or broke off.
        """

    def open(self, reference: Reference, blob: Descriptor) -> Iterator[bytes]:
        """The bytes of a blob, manifest or index of the image; NOT verified, the caller does that.

        Raises:
            NotFoundError: the source does not hold it; also while iterating, as the others.
            TransferError: the source refused or broke off.
        """

    def referrers(self, reference: Reference, subject: Digest) -> list[Descriptor]:
        """Manifests attached to a manifest or index: by their subject, or by cosign's tag scheme.

        One found under a tag (``sha256-<hex>.sig``, ``.att``, ``.sbom``) has no subject of its own; its
        descriptor carries that tag as the annotation `REF_NAME`, so that it keeps the tag at the site.

        Raises:
            PartialListError: some could be listed and some not.
            NotFoundError, DamagedError, TransferError: none could.
        """
