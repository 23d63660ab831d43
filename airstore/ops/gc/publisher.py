"""What a publisher has to keep: what sites hold, for deltas, and releases that are pending."""

from __future__ import annotations

from airstore.ops.gc.pins import PinList, Pins
from airstore.ops.review.fleet import FOREIGN, SILENT, SiteRow, fleet
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.pending import pending

_STALE = 1 << 20  # days; how old a receipt is does not matter here


def publisher_pins(store: StoreDirectory, now: int, *, bases: bool) -> Pins:
    """Everything but the age of releases; with the store's lock.

    Args:
        store: the publisher's.
        now: seconds since the epoch.
        bases: whether releases stay that sites hold by their receipts.

    Raises:
        NotTrustedError, DamagedError: a release of the history is not what was signed.
    """
    pins = PinList()
    for row in fleet(store, now, _STALE).rows:
        _site(pins, row, bases=bases)
    for done in pending(store):
        pins.keep_blobs(done.release.blobs())
        pins.note(f"release {done.release.version} is pending: what it needs stays")
    return pins.all()


def _site(pins: PinList, row: SiteRow, *, bases: bool) -> None:
    if row.state in {SILENT, FOREIGN}:
        why = row.note or "no receipt of it is here"
        pins.note(f"what site {row.site} holds is not known: {why}")
    elif row.holds and bases:
        pins.keep(row.holds, f"site {row.site} holds it, by its receipt: deltas start there")
    elif row.holds:
        pins.note(
            f"site {row.site} holds {row.holds}: once that is dropped, media for it carry layers that changed"
            " as a whole"
        )
