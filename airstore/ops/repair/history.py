"""The history of a store, restored: objects by their ids, refs by the signatures of what they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from airstore.core.errors import AirstoreError, DamagedError, StorageError
from airstore.history.exchange.lending import LEDGER, Lender, united
from airstore.history.exchange.restoration import drop_damaged_packs, longest_ledger, restore_objects, tags_in
from airstore.history.git.names import MAIN, TAGS
from airstore.history.git.objects import ObjectDatabase
from airstore.history.inspection import inspect, packed_refs, ref_files
from airstore.ops.repair.branches import lost_branches, noted_tip
from airstore.ops.repair.trust import readable_state
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.releases.lost import lost_refs
from airstore.ops.stores.site.anchors import read_anchor
from airstore.ops.stores.site.ledgers import ledger_faults
from airstore.ops.stores.site.records import record_faults
from airstore.ops.stores.verify import VerifiedRelease, verify_release
from airstore.trust.mark import Mark


class VouchedRelease(NamedTuple):
    """A release that its signatures vouch for, and the tag object that names it."""

    release: VerifiedRelease
    tag: str


def restore_history(store: StoreDirectory, lenders: Sequence[Lender]) -> Iterator[str]:
    """Restore objects, refs and packs of git's; yields what was restored.

    Args:
        store: its trust roots are sound, and its history has HEAD and configuration.
        lenders: other histories.

    Raises:
        StorageError: the disk is full or failed; another run goes on.
    """
    path = store.layout.history
    yield from _objects(store, lenders, _tips(store))
    if refs := dict(_lost_refs(store, lenders)):
        yield from _objects(store, lenders, refs.values())
        # Tags before main, as everywhere: all of main always has its tags.
        for name in sorted(refs, key=lambda ref: (ref == MAIN, ref)):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            store.history.refs.set(name, refs[name])
            yield f"{path.name}/{name}"
    with suppress(DamagedError):  # `check` names what is still missing
        lost = None in ref_files(path).values()  # nobody knows what that ref needs
        dropped = [] if lost else drop_damaged_packs(path, _tips(store), store.disk)
        yield from (f"{path.name}: {name}, whose objects have files of their own now" for name in dropped)


def is_whole(store: StoreDirectory) -> bool:
    """Whether nothing of the history has to come from elsewhere.

    Raises:
        StorageError: the disk failed.
    """
    ledger = _is_ledger_whole(store, _anchor(store))
    return not inspect(store.layout.history) and _is_main_whole(store) and ledger and not lost_refs(store)


def _is_ledger_whole(store: StoreDirectory, anchor: Mark | None) -> bool:
    faulty = any(breaks == "the ledger" for _, breaks in record_faults(store))
    return not faulty and (anchor is None or not list(ledger_faults(store, anchor=anchor)))


def _anchor(store: StoreDirectory) -> Mark | None:
    """What the anchor says, if it can be asked; `check` names one that cannot."""
    with suppress(AirstoreError):
        return read_anchor(store) if store.side == SITE and store.anchor else None
    return None


def newest_release(store: StoreDirectory) -> VerifiedRelease | None:
    """The release that main names, verified now."""
    tip = store.history.tip
    return verify_release(store.history, tip, store.trust()) if tip else None


def _tips(store: StoreDirectory) -> list[str]:
    """What refs and the state name; what they need has to be here."""
    state = readable_state(store) if store.side == SITE else None
    path = store.layout.history
    named = [*ref_files(path).values(), *packed_refs(path).values(), state.commit if state else None]
    return [oid for oid in named if oid]


def _objects(store: StoreDirectory, lenders: Sequence[Lender], tips: Iterable[str]) -> Iterator[str]:
    path = store.layout.history
    with united(path, lenders, {}) as everything:
        written, _ = restore_objects(path, tips, everything, store.disk)
    if written:
        yield f"{path.name}: {written} object{'s' * (written != 1)}"


def _lost_refs(store: StoreDirectory, lenders: Sequence[Lender]) -> Iterator[tuple[str, str]]:
    """The refs that are missing, damaged or behind, and what they have to name."""
    files = ref_files(store.layout.history)
    own = ObjectDatabase(store.layout.history / "objects")
    if not _is_main_whole(store):
        found = _releases(store, lenders, own)
        tip = _tip(store, found, own)
        with united(store.layout.history, lenders, {}) as everything, suppress(DamagedError):
            chain = set(everything.ancestry(tip))
            wanted = {
                TAGS + version: each.tag for version, each in found.items() if each.release.commit in chain
            }
            yield from (pair for pair in wanted.items() if files.get(pair[0]) != pair[1])
            if tip and files.get(MAIN) != tip:
                yield MAIN, tip
    if store.side == SITE and (ledger := _ledger(store, lenders, own)) and files.get(LEDGER) != ledger:
        yield LEDGER, ledger
    yield from lost_branches(store, lenders)


def _is_main_whole(store: StoreDirectory) -> bool:
    try:
        history = store.history
        commits = [ref.commit for ref in history.releases()]
        state = readable_state(store) if store.side == SITE else None
    except StorageError:
        raise
    except AirstoreError:
        return False
    if store.side == SITE:
        return state is not None and (state.commit is None or state.commit in commits)
    return noted_tip(store) is None and (bool(commits) or not history.refs.tags())


def _releases(
    store: StoreDirectory, lenders: Sequence[Lender], own: ObjectDatabase
) -> dict[str, VouchedRelease]:
    """Every release that can be verified, by version; those of this store's own objects are preferred."""
    named: dict[str, list[str]] = {}
    for version, tag, _ in tags_in(own):
        named.setdefault(version, []).append(tag)
    for lender in lenders:
        for ref, oid in lender.refs.items():
            if ref.startswith(TAGS):
                named.setdefault(ref.removeprefix(TAGS), []).append(oid)
    found: dict[str, VouchedRelease] = {}
    for turn in range(max(map(len, named.values()), default=0)):
        tags = {v: oids[turn] for v, oids in named.items() if turn < len(oids) and v not in found}
        found |= _verified(store, lenders, tags)
    return found


def _verified(
    store: StoreDirectory, lenders: Sequence[Lender], tags: dict[str, str]
) -> dict[str, VouchedRelease]:
    found, trust = {}, store.trust()
    with united(store.layout.history, lenders, {TAGS + v: oid for v, oid in tags.items()}) as view:
        for version, oid in tags.items():
            try:
                commit = view.read_tag(version, oid).target
                found[version] = VouchedRelease(verify_release(view, commit, trust), oid)
            except StorageError:
                raise
            except AirstoreError:  # forged, disowned, or damaged everywhere
                continue
    return found


def _tip(store: StoreDirectory, found: dict[str, VouchedRelease], own: ObjectDatabase) -> str | None:
    """What main has to name: what the state says, or the publisher noted; else the newest own release."""
    state = readable_state(store) if store.side == SITE else None
    if state:
        return state.commit
    vouched = {each.release.commit for each in found.values()}
    if (noted := noted_tip(store)) in vouched:
        return noted
    mine = [each for each in found.values() if own.is_readable(each.tag)]
    newest = max(mine or found.values(), key=lambda each: each.release.release.sequence, default=None)
    return newest.release.commit if newest else None


def _ledger(store: StoreDirectory, lenders: Sequence[Lender], own: ObjectDatabase) -> str | None:
    """The ledger's newest entry where it is damaged or behind: of the first ledger that is whole.

    The longest one that the own objects have is asked first, then each copy's. Where none is whole, the
    longest own one is better than none, but never than what the branch names.
    """
    anchor = _anchor(store)
    if _is_ledger_whole(store, anchor):
        return None
    mine = longest_ledger(own)
    lent = [lender.refs[LEDGER] for lender in lenders if LEDGER in lender.refs]
    with united(store.layout.history, lenders, {}) as everything:
        candidates = [each for each in (mine, *lent) if each]
        whole = (each for each in candidates if not list(ledger_faults(store, each, everything, anchor)))
        found = next(whole, None)
    named = ref_files(store.layout.history).get(LEDGER)
    return found or (mine if not (named and own.is_readable(named)) else None) or next(iter(lent), None)
