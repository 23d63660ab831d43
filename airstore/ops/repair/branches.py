"""Branches of a publisher that were lost or set back: put where they were noted, if all is there for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from airstore.core.errors import AirstoreError, DamagedError, StorageError
from airstore.history.exchange.lending import Lender, united
from airstore.history.git.closure import closure
from airstore.history.git.names import HEADS, MAIN, TAGS
from airstore.history.git.objects import ObjectDatabase
from airstore.history.inspection import packed_refs, ref_files
from airstore.history.repository import History
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.lost import LostRef, lost_refs
from airstore.ops.stores.releases.pending import Before, accept
from airstore.ops.stores.releases.trusted import PENDING, verified


def restore_ref_list(store: StoreDirectory) -> Iterator[str]:
    """Make the list of where branches were set again, where it does not read: of what is there.

    Raises:
        StorageError: the disk is full or failed.
    """
    if (noted := store.history.refs.noted) is None:
        return
    try:
        noted.read()
    except DamagedError:
        path = store.layout.history
        there = packed_refs(path) | {ref: oid for ref, oid in ref_files(path).items() if oid}
        noted.write({ref: oid for ref, oid in there.items() if not ref.startswith(TAGS)})
        yield f"{noted.file}, of what is there"


def noted_tip(store: StoreDirectory) -> str | None:
    """Where the main branch was set, if that is lost or set back."""
    return next((lost.noted for lost in lost_refs(store) if lost.name == MAIN), None)


def lost_branches(store: StoreDirectory, lenders: Sequence[Lender]) -> Iterator[tuple[str, str]]:
    """The other branches that are not where they were set, and what they have to name.

    A pending release whose newest commit nobody has is taken as others have it, if it may be signed here.

    Args:
        store: its releases are sound.
        lenders: other histories.

    Raises:
        StorageError: the disk failed.
    """
    lost = [each for each in lost_refs(store) if each.name != MAIN]
    if not lost:
        return
    with united(store.layout.history, lenders, {}) as everything:
        for each in lost:
            offered = _offered(store, lenders, each) if each.name.startswith(HEADS + PENDING) else ()
            others = (oid for oid in offered if _may_be_signed(store, everything, each, oid))
            found = each.noted if _is_whole(everything, each.noted) else next(others, None)
            if found:
                yield each.name, found


def _offered(store: StoreDirectory, lenders: Sequence[Lender], lost: LostRef) -> list[str]:
    """What others call so, and what was seen of it at remotes."""
    branch = lost.name.removeprefix(HEADS)
    own = Lender(
        store.layout.history, {ref: oid for ref, oid in ref_files(store.layout.history).items() if oid}
    )
    return [
        oid
        for lender in (own, *lenders)
        for ref, oid in sorted(lender.refs.items())
        if ref != lost.name or lender is not own
        if ref.endswith(f"/{branch}")
    ]


def _is_whole(everything: History, oid: str) -> bool:
    objects = ObjectDatabase(everything.path / "objects")
    return not any(needed.fault for needed in closure([oid], objects.get))


def _may_be_signed(store: StoreDirectory, everything: History, lost: LostRef, oid: str) -> bool:
    newest = None
    with suppress(AirstoreError):
        newest = verified(store) if store.history.tip else None
    try:
        tree = everything.files(oid)
        accept(tree, lost.name.removeprefix(HEADS), store.trust_root(), Before.of(newest))
    except StorageError:
        raise
    except AirstoreError:
        return False
    return _is_whole(everything, oid)
