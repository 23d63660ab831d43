"""Pending releases as they are shared, and those of others merged with one's own."""

from __future__ import annotations

from airstore.core.errors import SequenceError
from airstore.core.model.release import Release
from airstore.ops.share.branches.snapshots import Snapshot
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.pending import Draft, load_draft, pending_versions
from airstore.ops.stores.releases.trusted import PENDING
from airstore.ops.stores.verify import ENVELOPE_FILE, RELEASE_FILE
from airstore.trust import envelope
from airstore.trust.root.model import TrustRoot
from airstore.trust.statement import STATEMENT_TYPE


def own_drafts(store: StoreDirectory) -> dict[str, Snapshot]:
    """The releases that are pending here as they are shared, by branch.

    Raises:
        DamagedError: one is not what was signed.
    """
    return {PENDING + version: snapshot(load_draft(store, version)) for version in pending_versions(store)}


def snapshot(draft: Draft) -> Snapshot:
    """A pending release as it is shared."""
    return Snapshot(draft.tree, f"{draft.release.product} {draft.release.version}, pending")


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
