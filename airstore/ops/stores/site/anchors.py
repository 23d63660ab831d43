"""A site's anchor: its high-water mark outside of the store, so that a restored snapshot of it is noticed.

The anchor never goes back: of sequence and entries each the larger one stays, but where a trust root disowns
releases. The store is written first, so an anchor that is behind it says only that a run ended early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from airstore.core.durable import write_file
from airstore.core.errors import (
    AirstoreError,
    NotTrustedError,
    SequenceError,
    UsageError,
)
from airstore.core.parsing import strictjson
from airstore.history import ledger
from airstore.ops.stores.directory import StoreDirectory, open_directory
from airstore.ops.stores.site import ledgers
from airstore.ops.stores.site.anchor_places import place_of
from airstore.trust.mark import Mark
from airstore.trust.root.chain import RootChain

ANCHOR = "whether this store is an old copy"  # what nobody can say without it
_GONE = (
    "find out who removed it; once you know that this store is no old copy, `airstore anchor set {0}` writes"
    " it again"
)


def read_anchor(store: StoreDirectory, named: str = "") -> Mark | None:
    """What the anchor says; None where nothing is there.

    Raises:
        DamagedError, NotTrustedError: it is not what this site wrote.
        StorageError, TransferError, NotFoundError: it cannot be asked.
    """
    named = named or store.anchor
    data = place_of(store, named).read()
    return None if data is None else Mark.parse(data, ledgers.public_key(store), f"the anchor {named}")


def required_anchor(store: StoreDirectory) -> Mark:
    """What the anchor of this store says.

    Raises:
        NotTrustedError: it is gone, or not what this site wrote.
        DamagedError, StorageError, TransferError, NotFoundError: as `read_anchor`.
    """
    found = read_anchor(store)
    if found is None:
        raise NotTrustedError(f"the anchor {store.anchor} is gone", hint=_GONE.format(store.anchor))
    return found


def advance(store: StoreDirectory, when: int) -> None:
    """Have the store's mark say how far it has come, and the anchor after it, which never goes back.

    Raises:
        StorageError, TransferError, NotFoundError: the anchor cannot be written; the store is as it was made.
    """
    own = replace(ledgers.write_mark(store), when=when)
    if store.anchor:
        mark = _higher(own, required_anchor(store), store.trust())
        place_of(store, store.anchor).write(mark.to_bytes(ledgers.site_key(store)))


def record(store: StoreDirectory, entry: ledger.Entry, after: int | None = None) -> None:
    """Append a signed entry to the ledger, then move mark and anchor on.

    Args:
        store: a site's, locked.
        entry: what was done.
        after: how many entries there were before, where some are lost.

    Raises:
        NotFoundError, NotTrustedError, UsageError: the site's key cannot be used.
        DamagedError: the entry before does not read.
        StorageError, TransferError: disk, or anchor, cannot be written.
    """
    ledgers.append(store, entry, after)
    advance(store, entry.when)


def accept_lost(store: StoreDirectory, lost: tuple[int, int], when: int) -> None:
    """Have the ledger say that entries are lost, and go on from there; what it has stays as it is.

    Raises:
        NotFoundError, NotTrustedError, UsageError: the site's key cannot be used.
        StorageError: the disk is full or failed.
    """
    first, last = lost
    newest = next(ledger.entries(store.history), None)
    details: dict[str, str | int] = {"first": first, "last": last}
    version = newest.version if newest else ledger.ADOPTED
    record(store, ledger.Entry(ledger.GAP, version, "succeeded", when, details), after=last)


def place_anchor(store: StoreDirectory, named: str, when: int) -> None:
    """Write the anchor at a new place.

    Raises:
        SequenceError: there is one of this site already, which this store is behind.
        NotTrustedError: there is one of another site.
        UsageError: the name is none.
    """
    found = read_anchor(store, named)
    own = replace(ledgers.write_mark(store), when=when)
    faults = list(_behind(own, found, store.trust(), named)) if found else []
    if faults:
        raise SequenceError(faults[0], hint=_way_out())
    place_of(store, named).write(own.to_bytes(ledgers.site_key(store)))


def anchor_faults(store: StoreDirectory) -> Iterator[str]:
    """What the anchor says against this store."""
    if not store.anchor:
        return
    try:
        found = read_anchor(store)
        if found is None:
            yield f"the anchor {store.anchor} is gone: nobody can say whether this store is an old copy"
        else:
            yield from _behind(ledgers.own_mark(store), found, store.trust(), store.anchor)
    except AirstoreError as fault:
        yield f"the anchor {store.anchor}: {fault}"


def anchored_by(store: StoreDirectory, named: str | None) -> StoreDirectory:
    """The store with the anchor that its site file names; nothing is written.

    Raises:
        UsageError: the store has its anchor elsewhere, or that is no place for one.
    """
    if named is None or named == store.anchor:
        return store
    if store.anchor:
        raise UsageError(
            f"the site file names the anchor {named}, and this store has its anchor at {store.anchor}",
            hint=f"airstore anchor set {named}; or take `anchor` out of the site file",
        )
    place_of(store, named)
    return replace(store, anchor=named)


def settle_anchor(store: StoreDirectory, when: int) -> None:
    """Have the store keep the anchor that its site file names, with the store's lock; written the first time.

    Raises:
        SequenceError: one of this site is there already, which this store is behind.
        NotTrustedError: there is one of another site.
        StorageError, TransferError, NotFoundError: it cannot be written.
    """
    if _is_new(store):
        set_anchor(store, store.anchor, when)


def _is_new(store: StoreDirectory) -> bool:
    """Whether only the site file names the anchor so far."""
    return bool(store.anchor) and not open_directory(store.path).anchor


def require_anchored(store: StoreDirectory) -> None:
    """Refuse to act on a store that its anchor is ahead of: what it trusts, and what it says runs, is old.

    Raises:
        SequenceError: it is.
        NotTrustedError: the anchor is gone.
        AirstoreError: it cannot be asked, or is not what this site wrote.
    """
    if not store.anchor:
        return
    found = read_anchor(store) if _is_new(store) else required_anchor(store)
    if found is None:
        return
    faults = list(_behind(ledgers.own_mark(store), found, store.trust(), store.anchor))
    if faults:
        raise SequenceError("; ".join(faults), hint=_way_out())


def lost_beyond(store: StoreDirectory) -> tuple[int, int] | None:
    """First and last number of the ledger entries that are lost, as the mark or the anchor says."""
    lost, have = ledgers.lost_entries(store), ledgers.own_mark(store).entries
    anchor = required_anchor(store) if store.anchor else None
    if anchor and anchor.entries > max(have, lost[1] if lost else 0):
        return have + 1, anchor.entries
    return lost


def _behind(own: Mark, anchor: Mark, chain: RootChain, named: str) -> Iterator[str]:
    """What an anchor knows that the store does not."""
    if anchor.site != own.site:
        yield f"the anchor {named} is of site {anchor.site}"
        return
    old = f"this store is older than its anchor {named} of {_moment(anchor.when)}, as a restored backup is:"
    if anchor.root_version > own.root_version:
        yield f"{old} trust root {anchor.root_version} was in force, here it is {own.root_version}"
    if not _disowned(anchor, chain):
        if anchor.sequence > own.sequence:
            yield f"{old} sequence {anchor.sequence} was trusted, here it is {own.sequence}"
        elif anchor.sequence == own.sequence and anchor.release != own.release:
            yield f"the anchor {named} knows another release with sequence {own.sequence}: one is forged"
    if anchor.entries > own.entries:
        yield f"{old} the ledger had {anchor.entries} entries, here it has {own.entries}"
    elif anchor.entries == own.entries and anchor.entry != own.entry:
        yield f"the anchor {named} knows another ledger entry {own.entries}: this store went its own way"


def _disowned(anchor: Mark, chain: RootChain) -> bool:
    """Whether a trust root that came after the anchor takes back what the anchor names."""
    later = (root for root in chain.roots if root.version > anchor.root_version and root.after)
    return any(root.after.sequence < anchor.sequence for root in later if root.after)


def _higher(own: Mark, anchor: Mark, chain: RootChain) -> Mark:
    if anchor.sequence > own.sequence and not _disowned(anchor, chain):
        own = replace(own, sequence=anchor.sequence, release=anchor.release)
    if anchor.entries > own.entries:
        own = replace(own, entries=anchor.entries, entry=anchor.entry)
    return replace(own, root_version=max(own.root_version, anchor.root_version))


def _way_out() -> str:
    return (
        "nothing has to go: import media for that release or a later one (the publisher makes them again),"
        " and run `airstore repair --from COPY` with a newer copy of this store for the ledger; where"
        " there is none, `airstore repair --accept-lost-entries`"
    )


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def set_anchor(store: StoreDirectory, named: str, when: int) -> None:
    """Place the anchor and have the store's configuration name it; an empty name lets go of it.

    Raises:
        SequenceError, NotTrustedError, UsageError: as `place_anchor`.
        StorageError: the disk is full or failed.
    """
    if named:
        place_anchor(store, named, when)
    config = store.layout.config
    document = strictjson.load_object(config.read_bytes(), str(config))
    document.pop("anchor", None)
    write_file(config, strictjson.dumps(document | ({"anchor": named} if named else {})), mode=0o644)
