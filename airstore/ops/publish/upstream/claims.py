"""Signatures as they are attached to images: by cosign's tags and as referrers, in both of cosign's forms."""

from __future__ import annotations

from functools import partial

from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.registry.source import REF_NAME, ImageSource, PartialListError
from airstore.registry.sources.graph import read_document
from airstore.registry.sources.walker import SOURCE_FAULTS
from airstore.trust.upstream.attachment import claims_of
from airstore.trust.upstream.claim import Claim

_AT_MOST = 100  # signatures of one image that are looked at


@frozen
class Found:
    """A signature; ``digest`` is the manifest that carries it."""

    digest: Digest
    claim: Claim


@frozen
class Attached:
    """What is attached to an image by way of signatures, sorted by digest.

    Attributes:
        unread: what could not be read or listed, and why.
    """

    claims: tuple[Found, ...]
    unread: tuple[str, ...]


def attached_claims(source: ImageSource, reference: Reference, subject: Digest) -> Attached:
    """Read every signature that is attached to a manifest or index; none of them is verified."""
    unread: list[str] = []
    listed = _listed(source, reference, subject, unread)
    if len(listed) > _AT_MOST:
        unread.append(f"of {len(listed)} attachments {_AT_MOST} were looked at")
    claims: list[Found] = []
    for descriptor in listed[:_AT_MOST]:
        faults: list[object] = []
        try:
            read = partial(read_document, source, reference)
            found = list(claims_of(descriptor, read, faults.append))
        except SOURCE_FAULTS as fault:
            found, faults = [], [fault]
        unread += [f"{descriptor.digest.short} cannot be read: {fault}" for fault in faults]
        claims += [Found(descriptor.digest, claim) for claim in found]
    return Attached(tuple(claims), tuple(unread))


def _listed(
    source: ImageSource, reference: Reference, subject: Digest, unread: list[str]
) -> list[Descriptor]:
    try:
        listed = source.referrers(reference, subject)
    except PartialListError as fault:
        unread.append(f"not all that is attached could be listed: {fault}")
        listed = list(fault.found)
    except SOURCE_FAULTS as fault:
        unread.append(f"what is attached could not be listed: {fault}")
        listed = []
    # In an order that does not depend on the registry: the same release comes from the same inputs.
    return sorted((each for each in listed if not _other(each)), key=lambda each: each.digest)


def _other(descriptor: Descriptor) -> bool:
    tag = descriptor.annotations.get(REF_NAME, "")
    return tag.endswith((".att", ".sbom"))
