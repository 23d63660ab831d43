"""``airstore repair``: trust roots first, for all else is verified with them; then history, state, blobs.

Each step keeps what is sound, and verifies what it takes. A run that was interrupted is run again, and finds
what the earlier one has restored.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, NotTrustedError, StorageError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.progress import Progress
from airstore.history.exchange.lending import Lender
from airstore.history.exchange.restoration import restore_files
from airstore.ops.repair.blobs import restore_blobs, restore_index
from airstore.ops.repair.branches import restore_ref_list
from airstore.ops.repair.history import is_whole, newest_release, restore_history
from airstore.ops.repair.keys import restore_journals, restore_noted, restore_public_keys
from airstore.ops.repair.marks import restore_mark
from airstore.ops.repair.sources import RepairSource
from airstore.ops.repair.trust import restore_roots, restore_signers, restore_state
from airstore.ops.repair.ways import way_out
from airstore.ops.stores.check import Problem, check_store
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.releases.collected import collected, forget_whole
from airstore.ops.stores.releases.pending import load_draft, readable_drafts
from airstore.ops.stores.releases.trusted import all_releases, count_held, trusted_release
from airstore.store.blobs import BlobStore


@frozen
class Remaining:
    """What is still wrong, and what would restore it."""

    problem: Problem
    way_out: str


@frozen
class RepairOutcome:
    """What a repair came to.

    Attributes:
        restored: files, refs, objects, blobs and packs.
        refused: what sources could not give, and why.
        remaining: empty for a store that is sound now.
    """

    restored: tuple[str, ...]
    refused: tuple[str, ...]
    remaining: tuple[Remaining, ...]


@frozen
class RepairRequest:
    """What to restore from.

    Attributes:
        sources: in the order in which they are asked.
        root: a file with the trust root in force, vouched for by whoever names it.
        releases: versions whose content was collected, and is to come back.
        accept_lost: when, in seconds since the epoch, somebody accepted that ledger entries which nobody
            has are lost; None where nobody did.
    """

    sources: Sequence[RepairSource] = ()
    root: Path | None = None
    releases: Sequence[str] = ()
    accept_lost: int | None = None


def repair(store: StoreDirectory, request: RepairRequest, progress: Progress) -> RepairOutcome:
    """Restore what `check_store` finds wrong.

    Args:
        store: of either side; locked meanwhile.
        request: where to take what from.
        progress: shows what is read and written.

    Raises:
        LockedError: another airstore process is changing the store.
        NotFoundError: a release that was named is not in the history.
        NotTrustedError: the root that was named is not this store's.
        StorageError: the disk is full or failed; the next run goes on.
    """
    refused: list[str] = []
    with store.locked():
        for version in request.releases:
            with suppress(DamagedError):  # which is about to be repaired
                store.history.find(version)
        restored = list(_restore(store, request, progress, refused.append))
        for copies in store.layout.all_arrivals():  # a run that is stopped before goes on with them
            shutil.rmtree(copies, ignore_errors=True)
        left = [*check_store(store, progress).problems, *_still_gone(store, request.releases)]
    left.sort(key=lambda problem: not problem.breaks)  # what breaks nothing goes with the others
    remaining = tuple(Remaining(problem, way_out(store, problem)) for problem in left)
    return RepairOutcome(tuple(restored), tuple(dict.fromkeys(refused)), remaining)


def _restore(
    store: StoreDirectory, request: RepairRequest, progress: Progress, refused: Callable[[str], None]
) -> Iterator[str]:
    yield from (
        f"{store.layout.history.name}/{name}" for name in restore_files(store.layout.history, store.disk)
    )
    yield from restore_public_keys(store)
    yield from restore_noted(store)
    yield from restore_ref_list(store)
    yield from restore_journals(store)
    yield from restore_roots(store, list(_offered(request.sources, refused)), request.root)
    try:
        store.trust()
    except (NotFoundError, DamagedError, NotTrustedError):
        return  # nothing can be verified
    yield from restore_signers(store)
    with ExitStack() as stack:
        # Media are copied for that: not where nothing is asked of them.
        asked = () if is_whole(store) else request.sources
        yield from restore_history(store, list(_lenders(store, asked, stack, refused)))
    with suppress(DamagedError, NotTrustedError):  # `check` names it
        yield from restore_state(store, newest_release(store))
    yield from restore_mark(store, request.accept_lost)
    wanted = _wanted(store, request.releases)  # as the old index knows it: at a site a new one may know less
    yield from restore_index(store)
    yield from restore_blobs(store, wanted, request.sources, progress, refused)
    yield from _returned(store)


def _offered(
    sources: Sequence[RepairSource], refused: Callable[[str], None]
) -> Iterator[Mapping[int, bytes]]:
    for source in sources:
        try:
            yield source.roots()
        except StorageError:
            raise
        except AirstoreError as fault:
            refused(f"{source}: {fault}")


def _lenders(
    store: StoreDirectory,
    sources: Sequence[RepairSource],
    stack: ExitStack,
    refused: Callable[[str], None],
) -> Iterator[Lender]:
    for source in sources:
        try:
            lender = stack.enter_context(source.history(store))
        except StorageError:
            raise
        except AirstoreError as fault:
            refused(f"{source}: {fault}")
        else:
            yield from [lender] if lender else []


def _returned(store: StoreDirectory) -> Iterator[str]:
    with store.open_blobs() as held:
        yield from (f"what `airstore gc` dropped of release {each}" for each in forget_whole(store, held))


def _still_gone(store: StoreDirectory, back: Sequence[str]) -> Iterator[Problem]:
    """What was asked for by name; `check` does not miss what was dropped."""
    with store.open_blobs() as held:
        for version in back:
            with suppress(DamagedError, NotFoundError):  # `check` names it
                release = trusted_release(store, version)
                if lacking := len(release.blobs()) - count_held(held, release):
                    what = f"release {version} lacks {lacking} of its {len(release.blobs())} blobs"
                    yield Problem(what, (f"its images and charts in {version}",))


def _wanted(store: StoreDirectory, back: Sequence[str]) -> dict[Digest, Descriptor]:
    """Blobs that have to be here: of every release at a publisher, pending ones too, of a site's newest one.

    Not what was collected, but for what is asked to come ``back``.
    """
    try:
        releases, gone, waiting = all_releases(store), _gone(store, back), _waiting(store)
    except StorageError:
        raise
    except AirstoreError:  # `check` names it
        return {}
    with store.open_blobs() as held:
        expected = {d: blob for link in releases for d, blob in link.release.blobs().items()} | waiting
        whole = (
            [link for link in releases if link.digest not in gone] if store.side != SITE else releases[-1:]
        )
        whole += [link for link in releases if link.release.version in back]
        needed = {digest for link in whole for digest in link.release.blobs()}
        needed |= waiting.keys()
        return {d: blob for d, blob in expected.items() if d in needed or _holds(held, d)}


def _waiting(store: StoreDirectory) -> dict[Digest, Descriptor]:
    found: dict[Digest, Descriptor] = {}
    for version in readable_drafts(store):
        with suppress(DamagedError, NotTrustedError):  # `check` names it
            found |= load_draft(store, version).release.blobs()
    return found


def _gone(store: StoreDirectory, back: Sequence[str]) -> set[Digest]:
    with suppress(DamagedError):  # `check` names it
        return {digest for digest, version in collected(store).items() if version not in back}
    return set()


def _holds(held: BlobStore, digest: Digest) -> bool:
    """An index that is damaged may know of it, too."""
    try:
        return held.size(digest) is not None
    except DamagedError:
        return True
