"""Upstream signatures that a release records, verified again from what travels with it.

The publisher verified them before it took the images in, and signed that. Whoever stole its key could have
signed the same of any image: so the signatures themselves are looked at. The supplier's keys and trusted
roots are in the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airstore.core.errors import AirstoreError, NotTrustedError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Image, Release
from airstore.core.model.signers import UpstreamSignature
from airstore.ops.stores.verify import VerifiedRelease
from airstore.store.blobs import BlobStore
from airstore.trust.upstream.attachment import claims_of
from airstore.trust.upstream.claim import LIMIT, Claim
from airstore.trust.upstream.identity import UpstreamIdentity
from airstore.trust.upstream.key import UpstreamKey
from airstore.trust.upstream.trusted_root import TrustedRoot

Read = Callable[[Digest, int], bytes]
"""A blob by its digest, verified, of at most so many bytes."""


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
    recorded = [(image, signature) for image in release.images for signature in image.signatures]
    for image, signature in recorded:
        if not _holds(image, signature, files, read):
            raise NotTrustedError(
                f"{image.reference}: release {release.version} says that {signature.signer} signed it, "
                f"and what is attached ({signature.digest.short}) is no such signature",
                hint="ask the publisher on another way: no airstore records what it did not verify",
            )
    return len(recorded)


def verify_held(link: VerifiedRelease, files: Mapping[str, bytes], blobs: BlobStore) -> int:
    """`verify_upstream` of what a store holds; 0 where something was dropped, or never fetched."""
    carriers = [each.digest for image in link.release.images for each in image.signatures]
    if any(blobs.size(each) is None for each in carriers):
        return 0
    return verify_upstream(link.release, files, blobs.read_bytes)


def _holds(image: Image, signature: UpstreamSignature, files: Mapping[str, bytes], read: Read) -> bool:
    carrier = next((each for each in image.referrers if each.digest == signature.digest), None)
    signer = _signer(signature, files)
    if carrier is None or signer is None:
        return False
    claims = claims_of(carrier, lambda each: read(each.digest, LIMIT))
    return any(_says(claim, image, signature) and claim.signed_by(signer) for claim in claims)


def _signer(
    signature: UpstreamSignature, files: Mapping[str, bytes]
) -> UpstreamKey | UpstreamIdentity | None:
    """The key that is recorded, or whom a certificate is recorded to be for, by the file in the tree."""
    name, holder = signature.key, signature.holder
    try:
        data = files[name]
        by: UpstreamKey | UpstreamIdentity
        if holder:
            root = TrustedRoot.parse(data, name, name)
            by = UpstreamIdentity(holder.identity, holder.issuer, root, exact=True)
        else:
            by = UpstreamKey.parse(data, name, name)
    except (KeyError, AirstoreError):
        return None
    return by if by.fingerprint == signature.fingerprint else None


def _says(claim: Claim, image: Image, signature: UpstreamSignature) -> bool:
    recorded = (signature.form, signature.signed_as)
    return (claim.form, claim.repository) == recorded and image.root.digest in claim.images
