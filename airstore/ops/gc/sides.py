"""What has to stay, at whichever side this is."""

from __future__ import annotations

from airstore.ops.gc.pins import Pins
from airstore.ops.gc.publisher import publisher_pins
from airstore.ops.stores.directory import SITE, StoreDirectory


def pins_of(store: StoreDirectory, now: int, *, bases: bool = True) -> Pins:
    """See `publisher_pins` and `site_pins`; with the store's lock."""
    if store.side == SITE:
        from airstore.ops.gc.site import site_pins  # noqa: PLC0415 - loads Kubernetes

        return site_pins(store)
    return publisher_pins(store, now, bases=bases)
