"""Upstream signatures that a release records, verified again from what travels with it.

The publisher verified them before it took the images in, and signed that. Whoever stole its key could have
signed the same of any image: so the signatures themselves are looked at. The supplier's keys and trusted
roots are in the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from airstore.core.errors import NotTrustedError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Image, Release
from airstore.core.model.signers import UpstreamSignature
from airstore.ops.stores.verify import VerifiedRelease
from airstore.store.blobs import BlobStore

Read = Callable[[Digest, int], bytes]
"""A blob by its digest, verified, of at most so many bytes."""

_Recorded = tuple[Image, UpstreamSignature]


def verify_upstream(release: Release, files: Mapping[str, bytes], read: Read) -> int:
    """Verify every upstream signature that a verified release records; how many there are.

    Args:
        release: whose own signatures were verified.
        files: its tree.
        read: what came with it.

    Raises:
        NotTrustedError: one is not by the key that the release names, or not of that image.
        DamagedError, NotFoundError: one cannot be read.
    """
    return _verify(recorded(release), release.version, files, read)


def recorded(release: Release) -> list[_Recorded]:
    """Every upstream signature that a release records."""
    return [(image, signature) for image in release.images for signature in image.signatures]


def verify_held(link: VerifiedRelease, files: Mapping[str, bytes], blobs: BlobStore) -> int:
    """`verify_upstream` of those that a store holds, for others were dropped or never came; how many."""
    held = [each for each in recorded(link.release) if blobs.size(each[1].digest) is not None]
    return _verify(held, link.release.version, files, blobs.read_bytes)


def _verify(signatures: Sequence[_Recorded], version: str, files: Mapping[str, bytes], read: Read) -> int:
    if not signatures:
        return 0
    from airstore.ops.stores.attached import holds  # noqa: PLC0415 - it says itself why

    for image, signature in signatures:
        if not holds(image, signature, files, read):
            raise NotTrustedError(
                f"{image.reference}: release {version} says that {signature.signer} signed it, "
                f"and what is attached ({signature.digest.short}) is no such signature",
                hint="ask the publisher on another way: no airstore records what it did not verify",
            )
    return len(signatures)
