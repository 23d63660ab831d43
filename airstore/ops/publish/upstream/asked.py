"""Upstream signatures, where a product asks for any: what reads certificates is loaded only then.

It is a fifth of what `release create` would load before it does anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from airstore.core.image.reference import Reference
from airstore.core.model.product import Product
from airstore.ops.publish.ingest import Ingested
from airstore.registry.source import ImageSource

if TYPE_CHECKING:
    from airstore.ops.publish.upstream.signatures import Vouched

VouchedFor: TypeAlias = "dict[Reference, Vouched]"
"""Images whose upstream signatures were verified, with these."""


def check_rules(product: Product, references: Sequence[Reference]) -> None:
    """Read the keys, and hold the rules against the images.

    Raises:
        UsageError: see `Signers.of`.
    """
    if product.signatures:
        from airstore.ops.publish.upstream.signers import Signers  # noqa: PLC0415

        Signers.of(product, references)


def key_files(product: Product) -> dict[str, bytes]:
    """See `signers.key_files`.

    Raises:
        UsageError, NotFoundError: as there.
    """
    if not product.signatures:
        return {}
    from airstore.ops.publish.upstream import signers  # noqa: PLC0415

    return signers.key_files(product)


def vouched_for(product: Product, references: Sequence[Reference], source: ImageSource) -> VouchedFor:
    """See `verify_signatures`.

    Raises:
        UsageError, NotTrustedError, NotFoundError, TransferError, DamagedError: as there.
    """
    if not product.signatures:
        return {}
    from airstore.ops.publish.upstream.signatures import verify_signatures  # noqa: PLC0415

    return verify_signatures(product, references, source)


def with_vouched(taken: Ingested, vouched: VouchedFor) -> Ingested:
    """What was taken in, its images with their signatures; see `with_signatures`.

    Raises:
        NotTrustedError: as there.
    """
    if not vouched:
        return taken
    from airstore.ops.publish.upstream.signatures import with_signatures  # noqa: PLC0415

    return replace(taken, images=with_signatures(taken.images, vouched))
