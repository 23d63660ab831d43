"""Is a release in the history what its publisher signed? Envelope, tree, commit and tag are checked."""

from __future__ import annotations

from airstore.core.errors import DamagedError, NotFoundError, NotTrustedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.core.model.release_id import ReleaseId
from airstore.core.work import at_work
from airstore.history.repository import History
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.root.chain import RootChain
from airstore.trust.ssh import sshsig
from airstore.trust.statement import RELEASE, STATEMENT_TYPE, verify_statement

RELEASE_FILE = "release.json"
ENVELOPE_FILE = "signatures/release.dsse.json"


@frozen
class VerifiedRelease:
    """A release whose every signature and digest was checked.

    Attributes:
        digest: of its ``release.json``.
        commit: its commit, 40 hex digits.
        signer: key id of the commit's signature.
    """

    release: Release
    digest: Digest
    commit: str
    signer: str

    @property
    def identity(self) -> ReleaseId:
        """Its short form."""
        return ReleaseId(self.release.version, self.release.sequence, self.digest, self.commit)


def verify_release(history: History, commit: str, trust: RootChain) -> VerifiedRelease:
    """Verify one release commit against the trust root that was in force at its sequence number.

    The number is the release's own word until it is verified, and no more than that afterwards: that the
    release stands there in the chain is for `airstore.trust.policy` to say, and for the roots' pins.

    Raises:
        NotTrustedError: a signature is missing or not by the role, or the root is not at hand.
        SequenceError: a trust root names another release for that sequence number.
        DamagedError: the tree is not the one that was signed.
    """
    what = f"release commit {commit[:12]}"
    with at_work("verify %s", what):
        files = history.files(commit)
        role = _role(files, trust, what)
        release, digest = _verify_envelope(files, role, what)
        trust.check_pin(release.sequence, digest, commit)
        _verify_tree(files, release, what)
        signer = _verify_git(history, commit, release, role, what)
    return VerifiedRelease(release, digest, commit, signer)


def _role(files: dict[str, bytes], trust: RootChain, what: str) -> Role:
    for name in (RELEASE_FILE, ENVELOPE_FILE):
        if name not in files:
            raise NotTrustedError(f"{what} has no {name}: it was not made by `airstore release create`")
    return trust.role_at(Release.parse(files[RELEASE_FILE], f"{RELEASE_FILE} of {what}").sequence)


def _verify_envelope(files: dict[str, bytes], role: Role, what: str) -> tuple[Release, Digest]:
    _check_complete(files[ENVELOPE_FILE], role, what)
    statement = verify_statement(files[ENVELOPE_FILE], RELEASE, role, f"{ENVELOPE_FILE} of {what}")
    digest = Digest.of(files[RELEASE_FILE])
    if dict(statement.subjects) != {RELEASE_FILE: digest}:
        raise NotTrustedError(f"{what}: the signature is about something else than this {RELEASE_FILE}")
    return Release.parse(files[RELEASE_FILE], f"{RELEASE_FILE} of {what}"), digest


def _check_complete(signed: bytes, role: Role, what: str) -> None:
    """Some have signed, others have not: that is no forgery, and somebody can do something about it."""
    count = len(envelope.read(signed, STATEMENT_TYPE, what).signed_by(role.keys))
    if 0 < count < role.threshold:
        raise NotTrustedError(
            f"{what} is pending: signed by {count} of {len(role.keys)} trusted keys; {role.threshold} must",
            hint="the publisher completes it with `airstore release sign`, and makes media anew",
        )


def _verify_tree(files: dict[str, bytes], release: Release, what: str) -> None:
    """Git names files by SHA-1; security rests on the SHA-256 list in release.json instead."""
    present = {path for path in files if path not in {RELEASE_FILE, ENVELOPE_FILE}}
    for path in sorted(present ^ set(release.files)):
        state = "is not listed in" if path in present else "is missing, but listed in"
        raise DamagedError(f"{what}: {path} {state} {RELEASE_FILE}")
    for path, digest in release.files.items():
        if Digest.of(files[path]) != digest:
            raise DamagedError(f"{what}: {path} has other content than {RELEASE_FILE} says")


def _verify_git(history: History, commit: str, release: Release, role: Role, what: str) -> str:
    # This release's tag alone: reading every tag for every release would cost the square of their number.
    try:
        tag = history.tag(release.version)
    except NotFoundError:
        tag = None
    if tag is None or tag.target != commit:
        where = f"points to {tag.target[:12]} instead" if tag else "does not exist"
        raise DamagedError(f"{what}: its {RELEASE_FILE} says {release.version}, but that tag {where}")
    signed_commit = history.commit(commit).signed
    for part, (signature, payload) in (("commit", signed_commit), ("tag", tag.signed)):
        if not signature:
            raise NotTrustedError(f"{what}: the {part} is not signed")
        key = sshsig.verify(signature, payload, sshsig.GIT_NAMESPACE, role.keys)
    return key.keyid
