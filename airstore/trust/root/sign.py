"""Signing, checking and rotating the trust root.

Rotation follows TUF 1.0.34, section 5.3: root N+1 is signed by a threshold of N's root keys and by a
threshold of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from airstore.core.errors import SequenceError, UsageError
from airstore.core.frozen import frozen
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.root.model import RELEASE_ROLE, ROOT_ROLE, WHAT, Pin, RootLink, TrustRoot, parse_payload
from airstore.trust.ssh.signing import SigningKey
from airstore.trust.ssh.sshsig import GIT_NAMESPACE, TOOL_NAMESPACE

__all__ = [
    "PAYLOAD_TYPE",
    "RELEASE_ROLE",
    "ROOT_ROLE",
    "Pin",
    "Role",
    "RootLink",
    "SignedRoot",
    "TrustRoot",
    "allowed_signers",
    "draft_root",
    "lacking",
    "parse_root",
    "sign_root",
    "verify_first",
    "verify_next",
]

PAYLOAD_TYPE = "application/vnd.airstore.root+json"


@frozen
class SignedRoot:
    """A root as an envelope holds it, for showing and co-signing; nothing about it is trusted.

    Attributes:
        signed_by: names of its own keys whose signatures hold.
        missing: count of signatures of its own root keys that it still lacks.
    """

    root: TrustRoot
    signed_by: tuple[str, ...]
    missing: int


def sign_root(root: TrustRoot, keys: Sequence[SigningKey], previous: bytes | None = None) -> bytes:
    """Sign a root; ``previous`` is an envelope of the same root that others signed already.

    Root N+1 needs signatures by keys of N too, so keys that are not in ``root`` may sign.

    Raises:
        UsageError: no key, or ``previous`` holds another root.
        DamagedError, NotTrustedError: ``previous`` is not a signed root.
    """
    if previous is None:
        return envelope.sign(root.to_bytes(), PAYLOAD_TYPE, keys)
    if envelope.read(previous, PAYLOAD_TYPE, WHAT, draft=True).payload != root.to_bytes():
        raise UsageError("the file to co-sign holds another trust root than the one given")
    return envelope.add_signatures(previous, PAYLOAD_TYPE, keys, WHAT)


def draft_root(root: TrustRoot) -> bytes:
    """The envelope of a root that nobody has signed yet."""
    return envelope.unsigned(root.to_bytes(), PAYLOAD_TYPE)


def parse_root(signed: bytes) -> SignedRoot:
    """Read a root to show or co-sign it. To trust one, use `verify_first` or `verify_next`.

    Raises:
        NotTrustedError: one key under two names, or roles that cannot be.
        DamagedError: not an envelope, or not a canonical trust root.
    """
    found = envelope.read(signed, PAYLOAD_TYPE, WHAT, draft=True)
    root = parse_payload(found.payload)
    signers = found.signed_by(root.keys.values())
    role = root.roles[ROOT_ROLE]
    missing = role.threshold - len(set(signers) & set(role.keys))
    return SignedRoot(root, tuple(root.name_of(key) for key in signers), max(0, missing))


def lacking(signed: bytes, current: TrustRoot | None) -> tuple[int, int]:
    """How many signatures a draft lacks: of the root keys in force, and of its own."""
    found = envelope.read(signed, PAYLOAD_TYPE, WHAT, draft=True)
    roles = [root.roles[ROOT_ROLE] if root else None for root in (current, parse_payload(found.payload))]
    before, own = (max(0, role.threshold - len(found.signed_by(role.keys))) if role else 0 for role in roles)
    return before, own


@lru_cache(maxsize=8)  # one command asks for the same few up to eight times
def verify_first(signed: bytes) -> TrustRoot:
    """Check the root a site is enrolled with: it must be signed by its own keys.

    That proves it whole, not genuine. That it is the vendor's is what the operator vouches for.

    Raises:
        NotTrustedError: not signed by a threshold of its own root keys, or as `parse_root`.
        DamagedError: as `parse_root`.
    """
    root = parse_root(signed).root
    envelope.verify(signed, PAYLOAD_TYPE, root.roles[ROOT_ROLE], WHAT)
    return root


def verify_next(current: TrustRoot, signed: bytes) -> TrustRoot:
    """Check root N+1 against the trusted root N (TUF 5.3.4 and 5.3.5).

    Neither root's expiry is looked at here (TUF 5.3.10): an expired root may still hand over to the next.

    Raises:
        NotTrustedError: not signed by a threshold of N, or not by one of its own, or as `parse_root`.
        SequenceError: for another product, or not exactly version N+1.
        DamagedError: as `parse_root`.
    """
    payload = envelope.verify(
        signed, PAYLOAD_TYPE, current.roles[ROOT_ROLE], f"{WHAT} after {current.version}"
    )
    root = parse_payload(payload)
    envelope.verify(signed, PAYLOAD_TYPE, root.roles[ROOT_ROLE], f"{WHAT} {root.version}, by its own keys,")
    if root.product != current.product:
        raise SequenceError(f"this {WHAT} is for product {root.product}; this site trusts {current.product}")
    if root.version != current.version + 1:
        raise SequenceError(
            f"this {WHAT} is version {root.version}; after {current.version} comes {current.version + 1}",
            hint="import the versions between one by one" if root.version > current.version else "",
        )
    _check_link(current, root)
    return root


def _check_link(current: TrustRoot, root: TrustRoot) -> None:
    if root.link and root.link.previous != current.digest:
        raise SequenceError(
            f"fork: this {WHAT} continues another version {current.version} than the one trusted here",
            hint="two trust roots of this product exist; ask the publisher which one is genuine",
        )
    before, after = current.after, root.after
    if before and root.link and (after is None or after.sequence < before.sequence):
        raise SequenceError(
            f"this {WHAT} goes back behind release {before.version}, which version "
            f"{current.version} has settled"
        )
    if before and after and after.sequence == before.sequence and after != before:
        raise SequenceError(
            f"fork: this {WHAT} names another release {after.version} than version {current.version}"
        )


def allowed_signers(root: TrustRoot, earlier: Sequence[TrustRoot] = ()) -> str:
    """The file that git and ssh-keygen check signatures of commits, tags and tools against (ssh-keygen(1)).

    It has no ``valid-before``: git compares that with the commit's own date, which a thief of the key
    chooses. A key that only ``earlier`` roots have, oldest first, keeps what it signed readable under a
    name that says until which release it was good: ``alice.until-1.4.0``.
    """
    good = f"{GIT_NAMESPACE},{TOOL_NAMESPACE}"
    members = {key: (name, good) for name, key in root.keys.items() if key in root.release_role.keys}
    for old, following in zip(reversed(earlier), [root, *reversed(earlier)], strict=False):
        if following.after:
            for key in old.release_role.keys:
                name = f"{old.name_of(key)}.until-{following.after.version}"
                members.setdefault(key, (name, GIT_NAMESPACE))
    lines = [f'{name} namespaces="{spaces}" {key.openssh()}' for key, (name, spaces) in members.items()]
    return "".join(line + "\n" for line in sorted(lines))
