"""A release on its way: signed by one person after the other, and committed with the last one."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.core.errors import SequenceError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.history.packing import pack_loose
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.lost import is_lost, require_refs
from airstore.ops.stores.releases.pending import (
    Done,
    Draft,
    judge,
    load_draft,
    none_pending,
    pending_versions,
)
from airstore.ops.stores.releases.trusted import PENDING, verified
from airstore.ops.stores.verify import ENVELOPE_FILE, RELEASE_FILE
from airstore.trust import envelope
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.signing import SigningKey
from airstore.trust.statement import RELEASE, STATEMENT_TYPE, statement


@frozen
class Signing:
    """Who makes the release, and when.

    Attributes:
        author: name and mail address for the commit.
        when: seconds since the epoch.
    """

    key: SigningKey
    author: tuple[str, str]
    when: int


def draft_of(store: StoreDirectory, release: Release, files: Mapping[str, bytes]) -> Draft:
    """A release that was just made; with the signatures that it has, where the very same one is pending."""
    tree = {**files, RELEASE_FILE: release.to_bytes()}
    if release.version in pending_versions(store):
        there = load_draft(store, release.version)
        if there.tree[RELEASE_FILE] == tree[RELEASE_FILE]:
            return there
    return Draft(release, tree)


def check_no_other(store: StoreDirectory, version: str) -> None:
    """Releases are a chain: while one is pending no other can be made.

    Raises:
        SequenceError: another version is pending.
    """
    for other in pending_versions(store):
        if other != version:
            raise SequenceError(
                f"release {other} is pending, and the next one has to continue it",
                hint=f"sign it, or give it up: `airstore release discard {other}`",
            )


def sign_pending(store: StoreDirectory, version: str, signing: Signing) -> Done:
    """Sign a pending release; with the store's lock.

    Raises:
        NotFoundError: no release of that version is pending.
        UsageError: the key signs no releases, or has signed this one.
        SequenceError: another release was made meanwhile.
        DamagedError: what is pending is not what was signed.
    """
    with store.locked():
        require_refs(store)
        draft = load_draft(store, version)
        _check_next(store, draft.release)
        return add_signature(store, draft, signing)


def discard_pending(store: StoreDirectory, version: str) -> None:
    """Give a pending release up, damaged or lost as it may be; with the store's lock.

    What it brought into the store stays there.

    Raises:
        NotFoundError: no release of that version is pending.
    """
    with store.locked():
        if not is_lost(store, PENDING + version) and store.history.branch(PENDING + version) is None:
            raise none_pending(store, version)
        store.history.drop_branch(PENDING + version)


def add_signature(store: StoreDirectory, draft: Draft, signing: Signing) -> Done:
    """Sign a release, and commit it if that was the last signature that it lacked.

    A draft that nobody has signed replaces what is pending of the same version.

    Raises:
        UsageError: the key signs no releases.
    """
    root = store.trust_root()
    if signing.key.public not in root.release_role.keys:
        raise UsageError("the trust root does not let this key sign releases", hint="see `airstore key list`")
    signed = _signed(draft, signing.key)
    done = judge(root, draft.release, signed)
    history, version = store.history, draft.release.version
    tree = {**draft.tree, ENVELOPE_FILE: signed}
    message = f"{draft.release.product} {version}"

    def sign(payload: bytes) -> str:
        return sshsig.sign(signing.key, payload, sshsig.GIT_NAMESPACE)

    if done.lacks:
        history.commit_entry(
            PENDING + version, tree, f"{message}, pending", signing.author, signing.when, sign
        )
        return done
    pack_loose(history)
    commit = history.commit_release(tree, version, message, signing.author, signing.when, sign)
    history.drop_branch(PENDING + version)
    return Done(done.release, done.signed_by, 0, commit)


def _signed(draft: Draft, key: SigningKey) -> bytes:
    earlier = draft.tree.get(ENVELOPE_FILE)
    if earlier is not None:
        return envelope.add_signatures(earlier, STATEMENT_TYPE, [key], ENVELOPE_FILE)
    release = draft.release
    payload = statement(
        RELEASE,
        {RELEASE_FILE: Digest.of(draft.tree[RELEASE_FILE])},
        {"product": release.product, "version": release.version},
    )
    return envelope.sign(payload, STATEMENT_TYPE, [key])


def _check_next(store: StoreDirectory, release: Release) -> None:
    newest = verified(store) if store.history.tip else None
    before = (newest.release.sequence, newest.digest) if newest else (0, None)
    if (release.sequence - 1, release.previous) != before:
        raise SequenceError(
            f"release {release.version} does not continue the newest release any more",
            hint="create it again: its signatures were for another place",
        )
