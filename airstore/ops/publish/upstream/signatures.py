"""Upstream signatures that the product file asks for, verified where images are, before any is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from airstore.core.errors import AirstoreError, DamagedError, NotTrustedError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.model.product import Product
from airstore.core.model.release import Image
from airstore.core.model.signers import CertificateHolder, UpstreamSignature
from airstore.ops.publish.upstream.claims import Attached, Found, attached_claims
from airstore.ops.publish.upstream.signers import Signer, Signers
from airstore.registry.parallel import run_all
from airstore.registry.source import ImageSource
from airstore.registry.sources.graph import read_document
from airstore.registry.sources.walker import SOURCE_FAULTS
from airstore.trust.upstream.claim import Claim
from airstore.trust.upstream.identity import UpstreamIdentity
from airstore.trust.upstream.key import UpstreamKey

_AT_ONCE = 8
_LINE = "\n    "  # reasons are below their image, each on a line of its own
_HINT = "have them signed, take images that are, or correct the rule; nothing was imported"
_ROOTS = "; a trusted root that is older than a signature may lack its log or authority: get a newer one"
_LIKE_REGULAR = re.compile(r"\.[*+]")  # what `cosign verify --certificate-identity-regexp` takes
_GLOB = ", where * stands for what .* is in a regular expression,"


@frozen
class Vouched:
    """An image whose upstream signatures were verified.

    Attributes:
        root: the digest that they are for.
    """

    root: Digest
    signatures: tuple[UpstreamSignature, ...]


def verify_signatures(
    product: Product, references: Sequence[Reference], source: ImageSource
) -> dict[Reference, Vouched]:
    """Verify what the product file asks for; images that no rule fits are not in the result.

    Raises:
        UsageError: a rule fits no image, or a key cannot be read; all are named.
        NotTrustedError: images lack signatures; each is named with the reason.
        NotFoundError, TransferError, DamagedError: one cannot be had.
    """
    signers = Signers.of(product, references)
    asked = [reference for reference in references if signers.of_image(reference)]
    answers = run_all(lambda each: _verified(each, signers.of_image(each), source), asked, _AT_ONCE)
    faults = [(each, answer) for each, answer in zip(asked, answers, strict=True) if isinstance(answer, str)]
    if faults:
        lines = [f"  {reference}: {why}" for reference, why in faults]
        raise NotTrustedError(
            f"{len(faults)} of {len(asked)} images are not signed as images.signatures asks:\n"
            + "\n".join(lines),
            hint=_HINT + (_ROOTS if any(rule.identity for rule in product.signatures) else ""),
        )
    return {each: answer for each, answer in zip(asked, answers, strict=True) if isinstance(answer, Vouched)}


def with_signatures(images: Sequence[Image], vouched: Mapping[Reference, Vouched]) -> tuple[Image, ...]:
    """The images as ``release.json`` has them.

    Raises:
        NotTrustedError: one is not what was verified, or its signature is not among what travels with it.
    """
    return tuple(
        _with(image, vouched[image.reference]) if image.reference in vouched else image for image in images
    )


def _with(image: Image, vouched: Vouched) -> Image:
    if image.root.digest != vouched.root:
        raise NotTrustedError(
            f"{image.reference} was {vouched.root} when its signatures were verified, "
            f"and is {image.root.digest} now",
            hint="somebody moved the tag meanwhile: create the release again",
        )
    travels = {referrer.digest for referrer in image.referrers}
    lost = [each for each in vouched.signatures if each.digest not in travels]
    if lost:
        raise NotTrustedError(
            f"{image.reference}: the verified signature {lost[0].digest} could not be imported"
        )
    return replace(image, signatures=vouched.signatures)


def _verified(reference: Reference, signers: Sequence[Signer], source: ImageSource) -> Vouched | str:
    root = source.resolve(reference)
    if reference.digest not in {None, root.digest}:
        raise DamagedError(f"{reference}: the source answered with {root.digest}")
    attached = attached_claims(source, reference, root.digest)
    found = [_by(signer, attached, reference, root.digest) for signer in signers]
    faults = [each for each in found if isinstance(each, str)]
    if faults:
        return _LINE.join([*faults, *(_elsewhere(reference, root, source) if not attached.claims else ())])
    return Vouched(root.digest, tuple(each for each in found if isinstance(each, UpstreamSignature)))


def _by(signer: Signer, attached: Attached, reference: Reference, root: Digest) -> UpstreamSignature | str:
    """The first signature that meets a rule; else why there is none."""
    reasons = list(attached.unread)
    for found in attached.claims:
        made = _recorded(signer, found, reasons)
        why = _other(signer, found.claim, reference, root) if made else None
        if made and not why:
            return made
        if made:
            reasons.append(f"the signature {found.digest.short} by {made.signer} is for {why}")
    return _LINE.join([f"{_none(signer, attached)} (rule {signer.pattern!r})", *reasons])


def _recorded(signer: Signer, found: Found, reasons: list[str]) -> UpstreamSignature | None:
    """A signature by whom a rule takes; None where it is not, for certificates with the reason."""
    claim, accepted = found.claim, signer.keys
    if isinstance(accepted, UpstreamIdentity):
        try:
            holder = CertificateHolder(accepted.signer_of(claim.signed), accepted.issuer)
        except AirstoreError as fault:
            reasons.append(f"of the signature {found.digest.short}: {fault}")
            return None
        return _record(signer, found, accepted, holder)
    key = next((key for key in accepted if claim.signed_by(key)), None)
    return _record(signer, found, key, None) if key else None


def _record(
    signer: Signer, found: Found, by: UpstreamKey | UpstreamIdentity, holder: CertificateHolder | None
) -> UpstreamSignature:
    of = (by.name, by.fingerprint, found.digest)
    return UpstreamSignature(signer.pattern, *of, found.claim.form, found.claim.repository, holder)


def _none(signer: Signer, attached: Attached) -> str:
    count, keyless = len(attached.claims), 0
    if isinstance(signer.keys, UpstreamIdentity):
        names = f"{signer.keys}{_GLOB if _LIKE_REGULAR.search(signer.keys.identity) else ''}"
    else:
        names = " or ".join(key.name for key in signer.keys)
        keyless = sum(found.claim.keyless for found in attached.claims)
    if not count:
        return f"no signature is attached; {names} must sign"
    note = f", {keyless} of them with a certificate, which a rule with identity takes" if keyless else ""
    many = "signature is" if count == 1 else "signatures are"
    return f"{count} {many} attached{note}; none by {names} fits"


def _other(signer: Signer, claim: Claim, reference: Reference, root: Digest) -> str | None:
    """What a signature is for, if not for this image."""
    if root not in claim.images:
        return f"{', '.join(map(str, claim.images)) or 'no image'}, and the image is {root}"
    if signer.takes(claim.repository, reference):
        return None
    named = claim.repository or "no repository"
    return f"{named}" + (f": write signedAs: [{named!r}] if that is meant" if claim.repository else "")


def _elsewhere(reference: Reference, root: Descriptor, source: ImageSource) -> Iterator[str]:
    """An index may be unsigned while its manifests are signed."""
    try:
        children = _children(reference, root, source)
        signed = [child for child in children if attached_claims(source, reference, child.digest).claims]
    except SOURCE_FAULTS:  # the reason that was found stands without this one
        return
    if signed:
        names = ", ".join(str(child.platform or child.digest) for child in signed)
        yield f"what is signed is not the index but its manifest for {names}"


def _children(reference: Reference, root: Descriptor, source: ImageSource) -> tuple[Descriptor, ...]:
    if root.media_type not in oci.INDEXES:
        return ()
    return oci.parse(read_document(source, reference, root), root.media_type, str(reference)).manifests[:20]
