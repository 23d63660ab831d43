"""Signatures as a manifest carries them that is attached to an image: cosign's tags, and referrers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airstore.core.errors import DamagedError, NotTrustedError
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.trust.upstream.claim import BUNDLE, LIMIT, SIMPLE_SIGNING, Claim, bundle_claim, simple_claim

_AT_MOST = 100  # layers that are looked at


def claims_of(
    descriptor: Descriptor, read: Callable[[Descriptor], bytes], unread: Callable[[str], None]
) -> Iterator[Claim]:
    """What a manifest that is attached to an image says by way of signatures; nothing is verified.

    Args:
        descriptor: of the manifest.
        read: the bytes of it and of its layers, of the right digest.
        unread: told of what in it is not of the form of a signature, beside others that may be.

    Raises:
        DamagedError: not a manifest.
    """
    what = f"attachment {descriptor.digest.short}"
    manifest = oci.parse(read(descriptor), descriptor.media_type, what)
    for layer in manifest.layers[:_AT_MOST]:
        simple, bundle = layer.media_type == SIMPLE_SIGNING, layer.media_type.startswith(BUNDLE)
        if not simple and not bundle:
            continue
        if layer.size > LIMIT:
            unread(f"{what} is {layer.size} bytes; a signature has a few thousand")
            continue
        data = read(layer)
        try:
            claim = simple_claim(data, layer.annotations, what) if simple else bundle_claim(data, what)
        except (DamagedError, NotTrustedError) as fault:
            unread(str(fault))
            continue
        if claim:
            yield claim
