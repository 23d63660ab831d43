"""``airstore check``: read everything again; name what a damaged object breaks, up to the release."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from airstore.core.errors import AirstoreError, DamagedError, StorageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.core.progress import Progress
from airstore.history.git.names import MAIN
from airstore.history.inspection import inspect, owner, readable_tags
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.releases.collected import WHAT, collected
from airstore.ops.stores.releases.pending import load_draft, readable_drafts
from airstore.ops.stores.site.anchors import ANCHOR, anchor_faults
from airstore.ops.stores.site.records import record_faults
from airstore.ops.stores.site.states import state_faults
from airstore.ops.stores.verify import VerifiedRelease, verify_release
from airstore.store.blobs import BlobStore, Damage, check, pack_faults, rebuild_index


@frozen
class Problem:
    """One fault and what it breaks.

    Attributes:
        breaks: artifacts, each with its releases, such as ``image nginx in 1.0.0, 1.1.0``.
    """

    fault: str
    breaks: tuple[str, ...]


@frozen
class Checked:
    """What a check found.

    Attributes:
        problems: what is damaged or missing; empty for a sound store.
        unused: sizes in bytes of blobs that no release has, as a run leaves them that ended early; whoever
            makes or imports that release uses them.
        unindexed: packs that wait for the next run that adds packs, to be entered into the index.
        lost_product: where a publisher's product file should be and is not, which is no damage: a copy of a
            store may lie anywhere; None where nothing is wrong.
    """

    problems: list[Problem]
    unused: tuple[int, ...] = ()
    unindexed: int = 0
    lost_product: Path | None = None


def rebuild(store: StoreDirectory) -> None:
    """Make the index of objects again from the packs.

    Raises:
        LockedError: another process holds the lock.
        DamagedError: a pack does not read.
    """
    with store.locked(), store.open_blobs() as blobs:
        rebuild_index(blobs)


def check_store(store: StoreDirectory, progress: Progress) -> Checked:
    """Check trust state, every release's signatures and every object.

    Raises:
        StorageError: the store is closed to this user, or the disk failed: that says nothing of its content.
    """
    releases, problems = _check_history(store)
    gone, unread = _dropped(store)
    waiting, damaged_drafts = _pending(store)
    problems += [*unread, *damaged_drafts]
    whole = [link.release for link in releases] + waiting
    with store.open_blobs() as blobs:
        total = sum(size for _, _, size in blobs.index.packs())
        with progress.task("reading all objects", total) as advance:
            damaged = check(blobs, advance)
        known = {digest for damage in damaged for digest in damage.blobs}
        unused = () if problems else _unused(blobs, whole)
        problems += [_explain(damage, whole) for damage in damaged]
        problems += _check_complete(blobs, [*_expected(store, releases, gone), *waiting], known)
        return Checked(problems, unused, len(blobs.unindexed()), _lost_product(store))


def check_quickly(store: StoreDirectory) -> Checked:
    """Check trust state, ledger, the newest release's signatures, and that what it needs is in place.

    No object is read and no earlier release verified, so that it takes the same time beside any history.

    Raises:
        StorageError: the store is closed to this user, or the disk failed.
    """
    problems = _state_problems(store)
    broken = {user for problem in problems for user in problem.breaks}
    newest, refused = _verify_newest(store)
    problems += [each for each in refused if not broken.intersection(each.breaks or "-")]
    with store.open_blobs() as blobs:
        problems += [Problem(damage.what, ()) for damage in pack_faults(blobs)]
        problems += _check_complete(blobs, [link.release for link in newest], set())
        return Checked(_merged(problems), (), len(blobs.unindexed()), _lost_product(store))


def _lost_product(store: StoreDirectory) -> Path | None:
    file = store.product_file
    return file if file and not file.exists() else None


def _verify_newest(store: StoreDirectory) -> tuple[list[VerifiedRelease], list[Problem]]:
    try:
        history = store.history
        return [verify_release(history, history.tip, store.trust())] if history.tip else [], []
    except StorageError:
        raise
    except AirstoreError as fault:
        return [], [Problem(str(fault), (owner(MAIN),))]


def _unused(blobs: BlobStore, releases: list[Release]) -> tuple[int, ...]:
    used = {digest for release in releases for digest in release.blobs()}
    return tuple(size for digest, size in blobs.sizes() if digest not in used)


def _check_history(store: StoreDirectory) -> tuple[list[VerifiedRelease], list[Problem]]:
    problems = [Problem(fault.what, fault.breaks) for fault in inspect(store.layout.history)]
    problems += _state_problems(store)
    broken = {user for problem in problems for user in problem.breaks}
    verified, refused = _verify_all(store)
    problems += [each for each in refused if not broken.intersection(each.breaks or "-")]
    return verified, _merged(problems)


def _state_problems(store: StoreDirectory) -> list[Problem]:
    problems = [Problem(what, breaks) for what, breaks in state_faults(store)]
    problems += [Problem(what, (breaks,)) for what, breaks in record_faults(store)]
    return problems + [Problem(what, (ANCHOR,)) for what in anchor_faults(store)]


def _merged(problems: list[Problem]) -> list[Problem]:
    """One fault may be met on several ways."""
    users: dict[str, dict[str, None]] = {}
    for each in problems:
        users.setdefault(each.fault, {}).update(dict.fromkeys(each.breaks))
    return [Problem(fault, tuple(breaks)) for fault, breaks in users.items()]


def _verify_all(store: StoreDirectory) -> tuple[list[VerifiedRelease], list[Problem]]:
    """Each release for itself; where main cannot be followed, those that tags name."""
    verified: list[VerifiedRelease] = []
    problems: list[Problem] = []
    try:
        trust, history = store.trust(), store.history
    except AirstoreError:  # `state_faults` and `inspect` have said so
        return [], []
    try:
        found = [(ref.version, ref.commit) for ref in history.releases()]
    except DamagedError as fault:
        problems.append(Problem(str(fault), (owner(MAIN),)))
        found = list(readable_tags(history))
    for version, commit in found:
        try:
            verified.append(verify_release(history, commit, trust))
        except StorageError:
            raise
        except AirstoreError as fault:
            problems.append(Problem(str(fault), (f"release {version}",)))
    return sorted(verified, key=lambda link: link.release.sequence), problems


def _explain(damage: Damage, releases: list[Release]) -> Problem:
    return Problem(damage.what, _users(set(damage.blobs), releases))


def _pending(store: StoreDirectory) -> tuple[list[Release], list[Problem]]:
    """Releases that are signed by too few so far, which need their blobs too; what is wrong with others."""
    found: list[Release] = []
    problems: list[Problem] = []
    for version in readable_drafts(store):
        try:
            found.append(load_draft(store, version).release)
        except StorageError:
            raise
        except AirstoreError as fault:
            problems.append(Problem(str(fault), (f"pending release {version}",)))
    return found, problems


def _dropped(store: StoreDirectory) -> tuple[Collection[Digest], list[Problem]]:
    """Releases that were dropped on purpose; what is wrong with the list of them."""
    try:
        return collected(store), []
    except DamagedError as fault:
        return (), [Problem(str(fault), (WHAT,))]


def _expected(
    store: StoreDirectory, releases: list[VerifiedRelease], gone: Collection[Digest]
) -> list[Release]:
    """A site holds only what media brought; releases it skipped are not faults, its newest one is whole."""
    whole = releases[-1:] if store.side == SITE else [link for link in releases if link.digest not in gone]
    return [link.release for link in whole]


def _check_complete(blobs: BlobStore, expected: list[Release], known: set[Digest]) -> list[Problem]:
    missing = {
        digest
        for release in expected
        for digest in release.blobs()
        if digest not in known and blobs.size(digest) is None
    }
    return [Problem(f"blob {digest} is missing", _users({digest}, expected)) for digest in sorted(missing)]


def _users(digests: set[Digest], releases: list[Release]) -> tuple[str, ...]:
    versions: dict[str, list[str]] = {}
    for release in releases:
        for user in sorted({user for digest in digests for user in release.users_of(digest)}):
            versions.setdefault(user, []).append(release.version)
    return tuple(f"{user} in {', '.join(known)}" for user, known in versions.items())
