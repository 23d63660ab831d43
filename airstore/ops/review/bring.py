"""Media for every site that is behind: sites that lack the same share a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from airstore.core.durable import make_directory
from airstore.core.frozen import frozen
from airstore.core.progress import Progress
from airstore.media.index import MediaIndex
from airstore.ops.media.bases import Base
from airstore.ops.media.create import create_media
from airstore.ops.media.plan import plan_media
from airstore.ops.review.fleet import Fleet, SiteRow
from airstore.ops.stores.directory import StoreDirectory
from airstore.store.blobs import BlobStore

_NAME = 100  # characters of sites' names in a directory's


@frozen
class Shared:
    """Media for one or more sites.

    Attributes:
        sites: their rows, in order.
        place: the directory of the media.
    """

    sites: tuple[SiteRow, ...]
    place: Path

    @property
    def bases(self) -> list[Base]:
        """What the sites hold; none for full media."""
        return [row.base for row in self.sites if row.base]

    @property
    def kind(self) -> str:
        """``full`` or ``delta from`` and the releases."""
        return " and ".join(dict.fromkeys(row.media for row in self.sites))


def shared_media(fleet: Fleet, out: Path, *, together: bool = False) -> list[Shared]:
    """Which sites share media: those that hold the same, and all that hold nothing that would help.

    Args:
        fleet: what the sites lack.
        out: the directory for all of them.
        together: one delta for all sites that a delta brings up.
    """
    groups: dict[object, list[SiteRow]] = {}
    for row in fleet.rows:
        if row.media:
            held = row.base and ("delta" if together else (row.base.release, row.base.blobs))
            groups.setdefault(held, []).append(row)
    return [Shared(tuple(rows), out / _name(rows, fleet.newest)) for rows in groups.values()]


def bring_up(
    store: StoreDirectory,
    blobs: BlobStore,
    fleet: Fleet,
    media: Sequence[Shared],
    sign: Callable[[bytes], bytes],
    progress: Progress,
) -> Iterator[tuple[Shared, MediaIndex | None]]:
    """Make the media that bring sites to the newest release, one after the other.

    Args:
        store: the publisher's.
        blobs: its blobs.
        fleet: what the sites lack.
        media: from `shared_media`; each appears complete or not at all.
        sign: turns a statement into an envelope.
        progress: shows what is written.

    Returns:
        The media, with their index; None where a directory of that name is there already.

    Raises:
        IncompleteError: this store lacks blobs of the release.
        StorageError: the disk is full; media that are complete stay.
    """
    for each in media:
        make_directory(each.place.parent)
        if each.place.exists():
            yield each, None
            continue
        plan = plan_media(store, blobs, fleet.newest, *each.bases)
        yield each, create_media(store, blobs, plan, each.place, sign, progress)


def _name(rows: Sequence[SiteRow], version: str) -> str:
    names = "+".join(row.site for row in rows)
    if len(names) > _NAME:
        names = f"{rows[0].site}+{len(rows) - 1}"
    return f"{names}-{version}"
