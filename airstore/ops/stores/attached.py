"""Whether what is attached to an image is the upstream signature that a release records.

Apart from `airstore.ops.stores.upstream`: certificates take as long to load as a short command runs, and most
releases record no such signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airstore.core.errors import AirstoreError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Image
from airstore.core.model.signers import UpstreamSignature
from airstore.trust.upstream.attachment import claims_of
from airstore.trust.upstream.claim import LIMIT, Claim
from airstore.trust.upstream.identity import UpstreamIdentity
from airstore.trust.upstream.key import UpstreamKey
from airstore.trust.upstream.trusted_root import TrustedRoot

_Read = Callable[[Digest, int], bytes]


def holds(image: Image, signature: UpstreamSignature, files: Mapping[str, bytes], read: _Read) -> bool:
    """Whether one of the image's referrers is that signature, by whom the release names.

    Args:
        image: of the release.
        signature: as it records it.
        files: the release's tree, where the keys and trusted roots are.
        read: a blob by its digest, verified, of at most so many bytes.

    Raises:
        DamagedError, NotFoundError: it cannot be read.
    """
    carrier = next((each for each in image.referrers if each.digest == signature.digest), None)
    signer = _signer(signature, files)
    if carrier is None or signer is None:
        return False
    unread: list[str] = []  # what is not of a signature's form is not this one
    claims = claims_of(carrier, lambda each: read(each.digest, LIMIT), unread.append)
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
