"""Releases that are not signed by enough yet, as they lie in the history.

A pending release is a branch of its own, ``pending-VERSION``, whose newest commit has the tree of the release
with the signatures so far. It is not on main and has no tag, so nothing takes it for a release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airstore.core.errors import (
    AirstoreError,
    DamagedError,
    NotFoundError,
    NotTrustedError,
    SequenceError,
    StorageError,
)
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import PENDING
from airstore.ops.stores.verify import ENVELOPE_FILE, RELEASE_FILE, VerifiedRelease
from airstore.trust import envelope
from airstore.trust.root.model import TrustRoot
from airstore.trust.statement import RELEASE, STATEMENT_TYPE, Statement

_FILES = frozenset({RELEASE_FILE, ENVELOPE_FILE})


@frozen
class Draft:
    """A release and its tree, with the envelope if somebody has signed it."""

    release: Release
    tree: Mapping[str, bytes]


@frozen
class Done:
    """What signatures led to.

    Attributes:
        release: that was signed.
        signed_by: names of the keys that have signed it.
        lacks: how many more it needs.
        commit: of the release; empty while it is pending.
    """

    release: Release
    signed_by: tuple[str, ...]
    lacks: int
    commit: str


def pending(store: StoreDirectory) -> Iterator[Done]:
    """Releases that are not signed by enough yet."""
    root = store.trust_root()
    for version in pending_versions(store):
        draft = load_draft(store, version)
        yield judge(root, draft.release, draft.tree[ENVELOPE_FILE])


def pending_versions(store: StoreDirectory) -> Iterator[str]:
    """A branch whose version is a release already is what a run left that was killed after the commit."""
    history = store.history
    for branch in history.branches():
        version = branch.removeprefix(PENDING)
        if branch.startswith(PENDING) and not history.lookup(version):
            yield version


def readable_drafts(store: StoreDirectory) -> list[str]:
    """As `pending_versions`, of a history that may be damaged: what does not read is named by others."""
    try:
        return list(pending_versions(store))
    except StorageError:
        raise
    except AirstoreError:
        return []


def load_draft(store: StoreDirectory, version: str) -> Draft:
    """What is pending, compared with what was signed: the next signature is over that and nothing else.

    Raises:
        NotFoundError: no release of that version is pending.
        DamagedError: what is pending is not what was signed.
    """
    commit = store.history.branch(PENDING + version)
    if commit is None:
        raise none_pending(store, version)
    return read_draft(store.history.files(commit), f"pending release {version}")


def none_pending(store: StoreDirectory, version: str) -> NotFoundError:
    """The error for a release that nobody has made, or that is signed by enough."""
    return NotFoundError(f"no release {version} is pending in {store.path}")


def read_draft(tree: Mapping[str, bytes], what: str) -> Draft:
    """A tree as a pending release that somebody has signed; by whom is for `judge` to say.

    Raises:
        DamagedError: it is not what was signed.
        NotTrustedError: its envelope is of another kind.
    """
    if not tree.keys() >= _FILES:
        raise DamagedError(f"{what} lacks {RELEASE_FILE} or {ENVELOPE_FILE}")
    release = Release.parse(tree[RELEASE_FILE], what)
    found = Statement.parse(envelope.read(tree[ENVELOPE_FILE], STATEMENT_TYPE, what).payload, what)
    listed = {path: Digest.of(data) for path, data in tree.items() if path not in _FILES}
    about = (found.predicate_type, dict(found.subjects))
    if about != (RELEASE, {RELEASE_FILE: Digest.of(tree[RELEASE_FILE])}) or listed != dict(release.files):
        raise DamagedError(f"{what} is not what was signed", hint="create the release again")
    return Draft(release, tree)


def judge(root: TrustRoot, release: Release, signed: bytes) -> Done:
    """Who of the root in force has signed a release, and how many are lacking."""
    signers = envelope.read(signed, STATEMENT_TYPE, ENVELOPE_FILE).signed_by(root.release_role.keys)
    lacks = max(0, root.release_role.threshold - len(signers))
    return Done(release, tuple(root.name_of(key) for key in signers), lacks, "")


@frozen
class Before:
    """What a pending release has to continue.

    Attributes:
        sequence: of the newest release; 0 where there is none.
        digest: of it.
    """

    sequence: int = 0
    digest: Digest | None = None

    @classmethod
    def of(cls, newest: VerifiedRelease | None) -> Before:
        """The newest release, if there is one."""
        return cls(newest.release.sequence, newest.digest) if newest else cls()


def accept(tree: Mapping[str, bytes], branch: str, root: TrustRoot, before: Before) -> Draft:
    """What others have made and signed, if the next signature may be added to it.

    A server, or whoever can write there, could put anything on such a branch, for somebody to sign. So what
    no release key has signed does not count, nor what does not continue the newest release.

    Raises:
        DamagedError: it is not what was signed.
        NotTrustedError: no release key has signed it, or it is another product's.
        SequenceError: it does not continue the newest release.
    """
    what = f"pending release {branch.removeprefix(PENDING)}"
    draft = read_draft(tree, what)
    release = draft.release
    if not judge(root, release, tree[ENVELOPE_FILE]).signed_by:
        raise NotTrustedError(f"{what} is signed by no key that the trust root lets sign releases")
    if (release.product, PENDING + release.version) != (root.product, branch):
        raise NotTrustedError(f"{what} is {release.product} {release.version}")
    if (release.sequence - 1, release.previous) != (before.sequence, before.digest):
        raise SequenceError(f"{what} does not continue the newest release")
    return draft
