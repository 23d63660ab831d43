"""An index together with the packs that it speaks of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airstore.core.frozen import frozen
from airstore.store.format.pack import read_frame
from airstore.store.read.index import ObjectIndex
from airstore.store.read.partial import PartialPacks
from airstore.store.read.rows import Location


@frozen
class Shelf:
    """An index and the place of the packs it speaks of.

    Attributes:
        index: where objects lie in packs.
        path_of: the file of a pack, by its raw name.
        partial: those of the packs that are here only in part; None where there are none.
    """

    index: ObjectIndex
    path_of: Callable[[bytes], Path]
    partial: PartialPacks | None = None

    def is_far(self, place: Location) -> bool:
        """Whether a frame would have to be fetched from a remote."""
        return self.partial is not None and self.partial.is_far(place)

    def frame(self, place: Location) -> bytes:
        """The plain bytes of a frame; see `read_frame`."""
        if self.partial is not None and place.pack in self.partial:
            return self.partial.frame(place)
        return read_frame(self.path_of(place.pack), place.frame_offset, place.stored, place.plain)
