"""Pending releases of others: looked at before anything of them is kept, and merged with one's own.

A server, or whoever can write there, could put anything on such a branch, for somebody to sign. So what no
release key has signed does not count, nor what does not continue the newest release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airstore.core.errors import NotTrustedError, SequenceError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.ops.share.branches.snapshots import Snapshot
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.pending import Draft, judge, load_draft, pending_versions, read_draft
from airstore.ops.stores.releases.trusted import PENDING
from airstore.ops.stores.verify import ENVELOPE_FILE, RELEASE_FILE, VerifiedRelease
from airstore.trust import envelope
from airstore.trust.root.model import TrustRoot
from airstore.trust.statement import STATEMENT_TYPE


@dataclass(frozen=True)
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


def own_drafts(store: StoreDirectory) -> dict[str, Snapshot]:
    """The releases that are pending here as they are shared, by branch.

    Raises:
        DamagedError: one is not what was signed.
    """
    return {PENDING + version: snapshot(load_draft(store, version)) for version in pending_versions(store)}


def snapshot(draft: Draft) -> Snapshot:
    """A pending release as it is shared."""
    return Snapshot(draft.tree, f"{draft.release.product} {draft.release.version}, pending")


def accept(tree: Mapping[str, bytes], branch: str, root: TrustRoot, before: Before) -> Draft:
    """What others have made and signed, if the next signature may be added to it.

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


def combine(ours: Draft, theirs: Draft, root: TrustRoot, where: str) -> Draft:
    """One release with the signatures that it has here and there.

    Args:
        ours: of this store.
        theirs: already accepted.
        root: whose release keys' signatures are kept.
        where: theirs is, for messages.

    Raises:
        SequenceError: they are two releases of one version.
    """
    version = ours.release.version
    both = [ours.tree[ENVELOPE_FILE], theirs.tree[ENVELOPE_FILE]]
    signed = envelope.combined(both, STATEMENT_TYPE, root.release_role.keys, ENVELOPE_FILE)
    if signed is None or ours.tree[RELEASE_FILE] != theirs.tree[RELEASE_FILE]:
        raise SequenceError(
            f"another release {version} is pending at {where} than here; nothing was changed",
            hint=f"`airstore release discard {version}` gives way to the other one; then pull, and sign it",
        )
    return Draft(ours.release, {**ours.tree, ENVELOPE_FILE: signed})


def given_up(release: Release, where: str) -> SequenceError:
    """The error for a release that others gave up, and that was changed here since."""
    version = release.version
    return SequenceError(
        f"release {version} was given up at {where}, and was signed or made anew here since; nothing was"
        " changed",
        hint=f"`airstore release discard {version}`; then it can be created again",
    )
