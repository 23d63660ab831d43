"""One side of a comparison: a verified release, who signed it, its files."""

from __future__ import annotations

from dataclasses import replace

from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import verified
from airstore.ops.stores.verify import ENVELOPE_FILE, VerifiedRelease
from airstore.trust import envelope
from airstore.trust.statement import STATEMENT_TYPE


@frozen
class ReleaseSigner:
    """A key that signed: its holder's name in the trust root, and its fingerprint as OpenSSH prints it."""

    name: str
    fingerprint: str


@frozen
class Side:
    """One of the two releases.

    Attributes:
        when: seconds since the epoch, as its commit says.
        author: as its commit says, ``name <email>``.
        signers: keys of the trust root whose signatures hold.
        threshold: how many of them were needed.
    """

    verified: VerifiedRelease
    when: int
    author: str
    signers: tuple[ReleaseSigner, ...]
    threshold: int
    files: dict[str, bytes]

    @property
    def release(self) -> Release:
        """What it contains."""
        return self.verified.release


def side(store: StoreDirectory, version: str) -> Side:
    """A release of the store as a side of a comparison.

    Raises:
        NotFoundError: there is none.
        NotTrustedError, DamagedError: it is not what its publisher signed.
    """
    found, history = verified(store, version), store.history
    root = store.trust().in_force_at(found.release.sequence)
    files, commit = history.files(found.commit), history.commit(found.commit)
    signed = envelope.read(files[ENVELOPE_FILE], STATEMENT_TYPE, ENVELOPE_FILE)
    keys = signed.signed_by(root.release_role.keys)
    signers = tuple(ReleaseSigner(root.name_of(key), key.fingerprint) for key in keys)
    return Side(found, commit.when, commit.author, signers, root.release_role.threshold, files)


def before(store: StoreDirectory, version: str) -> str | None:
    """The version that a release followed; None for the first.

    Raises:
        NotFoundError: there is no such release.
    """
    history = store.history
    parent = history.commit(history.find(version).commit).parent
    return history.release(parent).version if parent else None


def nothing(release: Release) -> Release:
    """What was there before a first release."""
    return replace(
        release, version="", sequence=0, previous=None, images=(), charts=(), helm_releases=(), files={}
    )
