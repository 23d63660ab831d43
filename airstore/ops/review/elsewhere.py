"""How long a release took where it was applied already: by receipts at a publisher, by the ledger at a site.

Which site it was is nobody's business who reads a report: customers do not see each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from airstore.core.errors import DamagedError, NotFoundError, NotTrustedError
from airstore.ops.media.receipts import list_sites, read_receipt
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.site.applies import PastApply, past_applies


def applied(store: StoreDirectory, version: str) -> tuple[PastApply, ...]:
    """Every apply of a release that is known here, oldest first.

    Args:
        store: of either side.
        version: of the release.

    Raises:
        DamagedError: at a site, the ledger cannot be read.
    """
    known = past_applies(store.history) if store.side == SITE else tuple(_received(store))
    return tuple(sorted((each for each in known if each.release == version), key=lambda each: each.ended))


def _received(store: StoreDirectory) -> Iterator[PastApply]:
    for name, _ in list_sites(store):
        try:
            yield from read_receipt(store, store.receipt_file(name)).applies
        except (NotFoundError, NotTrustedError, DamagedError):  # `airstore fleet` says what is wrong with it
            continue
