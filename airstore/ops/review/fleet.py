"""A publisher's sites by their receipts: what each holds and runs, and what would bring it up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from airstore.core.durable import write_file
from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, NotTrustedError, SequenceError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.ops.media.bases import Base, base_from_receipt
from airstore.ops.media.receipts import Receipt, list_sites, read_receipt
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.noted import noting
from airstore.ops.stores.releases.summaries import summaries
from airstore.ops.stores.releases.trusted import verified

_DAY = 86400  # seconds

CURRENT, BEHIND, EMPTY = "current", "behind", "empty"
SILENT, FOREIGN = "no receipt", "foreign"


@frozen
class SiteRow:
    """One site.

    Attributes:
        state: `CURRENT`, `BEHIND`, `EMPTY` (nothing imported yet), `SILENT` (no receipt of it is here) or
            `FOREIGN` (it holds a release that this store did not make).
        holds: version; empty where it holds none, or that is not known.
        behind: releases that it lacks; None where that is not known.
        runs: version; empty where none was applied, or the receipt does not say.
        since: when that was applied, seconds since the epoch.
        receipt: when it was written, seconds since the epoch; None in receipts that do not say.
        age: days since then.
        stale: older than the limit, of the future, or nobody knows how old.
        lacks: bytes of blobs of the newest release that it does not hold, as a registry has them.
        media: ``delta from V``, ``full`` or empty.
        base: what those media start from; None for full media, or none.
        file: the receipt that is kept.
        note: what is wrong.
    """

    site: str
    state: str
    holds: str = ""
    behind: int | None = None
    runs: str = ""
    since: int | None = None
    receipt: int | None = None
    age: int | None = None
    stale: bool = False
    lacks: int | None = None
    media: str = ""
    base: Base | None = None
    file: Path | None = None
    note: str = ""


@frozen
class Fleet:
    """All sites, and the release that they are compared with; empty where there is none yet."""

    product: str
    newest: str
    rows: tuple[SiteRow, ...]


def keep(store: StoreDirectory, files: Sequence[Path], now: int) -> list[tuple[str, bool]]:
    """Verify receipts and keep the newest of each site, all of them or none.

    Args:
        store: the publisher's.
        files: receipts.
        now: seconds since the epoch; what claims to be of later gives way to every other receipt.

    Returns:
        Site, and whether its receipt is kept: one that is older than what is kept already is not.

    Raises:
        NotFoundError: no such file.
        NotTrustedError: not by a site that is registered.
        DamagedError: malformed.
    """
    read = [(path, read_receipt(store, path)) for path in files]
    return [(receipt.site, _keep(store, path, receipt, now)) for path, receipt in read]


def _keep(store: StoreDirectory, path: Path, receipt: Receipt, now: int) -> bool:
    place = store.receipt_file(receipt.site)
    if place.is_file() and _order(_kept(store, place), now) > _order(receipt, now):
        return False
    with noting(store, place):
        write_file(place, path.read_bytes(), mode=0o644)
    return True


def _kept(store: StoreDirectory, place: Path) -> Receipt | None:
    """The receipt that is kept; None where nobody vouches for it: another key of the site, damage."""
    try:
        return read_receipt(store, place)
    except (NotTrustedError, DamagedError):
        return None


def _order(receipt: Receipt | None, now: int) -> tuple[int, int]:
    """Which of two receipts of a site is the newer one: what it trusts never goes back; then its clock."""
    if receipt is None:
        return -1, 0
    when = receipt.when or 0
    sequence = receipt.release.sequence if receipt.release else 0
    return sequence, -1 if when > now + _DAY else when


def fleet(store: StoreDirectory, now: int, stale_days: int) -> Fleet:
    """Every registered site.

    Args:
        store: the publisher's.
        now: seconds since the epoch.
        stale_days: receipts that are older are marked.

    Raises:
        NotTrustedError, DamagedError: a release of our own history is not what was signed.
    """
    known = {each.link.version: each.sequence for each in summaries(store)}
    newest = max(known, key=lambda version: known[version], default="")
    blobs = (
        {digest: blob.size for digest, blob in verified(store, newest).release.blobs().items()}
        if newest
        else {}
    )
    world = _World(store, now, stale_days, known.get(newest, 0), blobs)
    return Fleet(store.name, newest, tuple(_rows(world)))


@frozen
class _World:
    store: StoreDirectory
    now: int
    stale_days: int
    sequence: int
    blobs: Mapping[Digest, int]


def _rows(world: _World) -> Iterator[SiteRow]:
    for name, _ in list_sites(world.store):
        try:
            receipt = read_receipt(world.store, world.store.receipt_file(name))
        except NotFoundError:
            yield SiteRow(name, SILENT, stale=True)
            continue
        except AirstoreError as fault:  # such as a site whose key was replaced: the others are shown
            yield SiteRow(name, SILENT, stale=True, note=str(fault))
            continue
        yield _row(world, receipt)


def _row(world: _World, receipt: Receipt) -> SiteRow:
    try:
        base = base_from_receipt(world.store, receipt)
        fault = ""
    except SequenceError as found:
        base, fault = None, str(found)
    state, behind, media = _state(world, receipt, base, foreign=bool(fault))
    age = (world.now - receipt.when) // _DAY if receipt.when is not None else None
    ahead = age is not None and age < -1
    if ahead:  # more than time zones and drift make
        fault = fault or "its receipt is of the future: one of the two clocks is wrong"
    held = set(receipt.blobs)
    return SiteRow(
        site=receipt.site,
        state=state,
        holds=receipt.release.version if receipt.release else "",
        behind=behind,
        runs=receipt.runs[0] if receipt.runs else "",
        since=receipt.runs[1] if receipt.runs else None,
        receipt=receipt.when,
        age=max(0, age) if age is not None else None,
        stale=age is None or ahead or age > world.stale_days,
        lacks=None
        if state == FOREIGN
        else sum(size for digest, size in world.blobs.items() if digest not in held),
        media=media,
        base=base if media.startswith("delta") else None,
        file=world.store.receipt_file(receipt.site),
        note=fault,
    )


def _state(
    world: _World, receipt: Receipt, base: Base | None, *, foreign: bool
) -> tuple[str, int | None, str]:
    if foreign:
        return FOREIGN, None, ""
    if base is None:
        return EMPTY, world.sequence, "full" if world.sequence else ""
    behind = world.sequence - base.release.sequence
    if behind:
        return BEHIND, behind, f"delta from {base.release.version}"
    return CURRENT, 0, "" if set(world.blobs) <= set(receipt.blobs) else "full"
