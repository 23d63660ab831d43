"""What media start from: the state of a site, as a release or a receipt says it."""

from __future__ import annotations

from collections.abc import Sequence

from airstore.core.errors import SequenceError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release_id import ReleaseId
from airstore.ops.media.receipts import Receipt
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.collected import collected
from airstore.ops.stores.releases.trusted import count_held, verified
from airstore.store.blobs import BlobStore


@frozen
class Base:
    """The state a delta starts from.

    Attributes:
        release: the newest release the site holds.
        blobs: what it holds.
        site: who may take the media in; empty for anyone with that release.
    """

    release: ReleaseId
    blobs: frozenset[Digest]
    site: str = ""


def held_by_all(bases: Sequence[Base]) -> frozenset[Digest]:
    """What every base has; nothing where there is none."""
    return frozenset.intersection(*(base.blobs for base in bases)) if bases else frozenset()


def is_current(store: StoreDirectory, base: Base, to: str) -> bool:
    """Whether a site holds release ``to`` and every blob of it."""
    wanted = verified(store, to)
    return base.release == wanted.identity and base.blobs >= wanted.release.blobs().keys()


def is_collected(store: StoreDirectory, blobs: BlobStore, base: Base) -> bool:
    """Whether `airstore gc` has dropped what deltas from this base would start from."""
    found = verified(store, base.release.version)
    return count_held(blobs, found.release) < len(found.release.blobs()) and found.digest in collected(store)


def base_from_release(store: StoreDirectory, version: str) -> Base:
    """A base that assumes the site holds release ``version`` as the publisher made it."""
    base = verified(store, version)
    return Base(base.identity, frozenset(base.release.blobs()))


def base_from_receipt(store: StoreDirectory, receipt: Receipt) -> Base | None:
    """A base from what a site says it holds; None where it holds no release yet.

    Raises:
        SequenceError: the receipt is about another product, or a release that we did not make.
    """
    if receipt.product not in {"", store.name}:
        raise SequenceError(
            f"the receipt is about product {receipt.product!r}, this store makes {store.name!r}"
        )
    if receipt.release is None:
        return None
    if (
        store.history.lookup(receipt.release.version) is None
        or verified(store, receipt.release.version).identity != receipt.release
    ):
        raise SequenceError(
            f"the receipt of site {receipt.site!r} names another release {receipt.release.version} than "
            "this store made",
            hint="the site follows a fork, or this store was restored; compare `airstore log` on both sides",
        )
    return Base(receipt.release, frozenset(receipt.blobs), receipt.site)
