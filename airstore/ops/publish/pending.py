"""A release on its way: signed by one person after the other, and committed with the last one.

A pending release is a branch of its own, ``pending-VERSION``, whose newest commit has the tree of the release
with the signatures so far. It is not on main and has no tag, so nothing takes it for a release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airstore.core.errors import DamagedError, NotFoundError, SequenceError, UsageError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.history.packing import pack_loose
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import PENDING, verified
from airstore.ops.stores.verify import ENVELOPE_FILE, RELEASE_FILE
from airstore.trust import envelope
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.signing import SigningKey
from airstore.trust.statement import RELEASE, STATEMENT_TYPE, Statement, statement


@dataclass(frozen=True)
class Signing:
    """Who makes the release, and when.

    Attributes:
        author: name and mail address for the commit.
        when: seconds since the epoch.
    """

    key: SigningKey
    author: tuple[str, str]
    when: int


@dataclass(frozen=True)
class Draft:
    """A release and its tree, with the envelope if somebody has signed it."""

    release: Release
    tree: Mapping[str, bytes]


@dataclass(frozen=True)
class Done:
    """What a signature led to.

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
    for version in _versions(store):
        draft = _load(store, version)
        yield _judge(store, draft, draft.tree[ENVELOPE_FILE])


def _versions(store: StoreDirectory) -> Iterator[str]:
    """A branch whose version is a release already is what a run left that was killed after the commit."""
    history = store.history
    for branch in history.branches():
        version = branch.removeprefix(PENDING)
        if branch.startswith(PENDING) and not history.lookup(version):
            yield version


def draft_of(store: StoreDirectory, release: Release, files: Mapping[str, bytes]) -> Draft:
    """A release that was just made; with the signatures that it has, where the very same one is pending."""
    tree = {**files, RELEASE_FILE: release.to_bytes()}
    if release.version in _versions(store):
        there = _load(store, release.version)
        if there.tree[RELEASE_FILE] == tree[RELEASE_FILE]:
            return there
    return Draft(release, tree)


def check_no_other(store: StoreDirectory, version: str) -> None:
    """Releases are a chain: while one is pending no other can be made.

    Raises:
        SequenceError: another version is pending.
    """
    for other in _versions(store):
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
        draft = _load(store, version)
        _check_next(store, draft.release)
        return add_signature(store, draft, signing)


def discard_pending(store: StoreDirectory, version: str) -> None:
    """Give a pending release up; with the store's lock. What it brought into the store stays there.

    Raises:
        NotFoundError: no release of that version is pending.
    """
    with store.locked():
        _load(store, version)
        store.history.drop_branch(PENDING + version)


def add_signature(store: StoreDirectory, draft: Draft, signing: Signing) -> Done:
    """Sign a release, and commit it if that was the last signature that it lacked.

    A draft that nobody has signed replaces what is pending of the same version.

    Raises:
        UsageError: the key signs no releases.
    """
    role = store.trust_root().release_role
    if signing.key.public not in role.keys:
        raise UsageError("the trust root does not let this key sign releases", hint="see `airstore key list`")
    done = _judge(store, draft, _signed(draft, signing.key))
    history, version = store.history, draft.release.version
    tree = {**draft.tree, ENVELOPE_FILE: _signed(draft, signing.key)}
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


def _judge(store: StoreDirectory, draft: Draft, signed: bytes) -> Done:
    root = store.trust_root()
    signers = envelope.read(signed, STATEMENT_TYPE, ENVELOPE_FILE).signed_by(root.release_role.keys)
    lacks = max(0, root.release_role.threshold - len(signers))
    return Done(draft.release, tuple(root.name_of(key) for key in signers), lacks, "")


def _load(store: StoreDirectory, version: str) -> Draft:
    """What is pending, compared with what was signed: the next signature is over that and nothing else."""
    commit = store.history.branch(PENDING + version)
    if commit is None:
        raise NotFoundError(f"no release {version} is pending in {store.path}")
    what, tree = f"pending release {version}", store.history.files(commit)
    release = Release.parse(tree[RELEASE_FILE], what)
    found = Statement.parse(envelope.read(tree[ENVELOPE_FILE], STATEMENT_TYPE, what).payload, what)
    listed = {
        path: Digest.of(data) for path, data in tree.items() if path not in {RELEASE_FILE, ENVELOPE_FILE}
    }
    if dict(found.subjects) != {RELEASE_FILE: Digest.of(tree[RELEASE_FILE])} or listed != dict(release.files):
        raise DamagedError(f"{what} is not what was signed", hint="create the release again")
    return Draft(release, tree)


def _check_next(store: StoreDirectory, release: Release) -> None:
    newest = verified(store) if store.history.tip else None
    before = (newest.release.sequence, newest.digest) if newest else (0, None)
    if (release.sequence - 1, release.previous) != before:
        raise SequenceError(
            f"release {release.version} does not continue the newest release any more",
            hint="create it again: its signatures were for another place",
        )
