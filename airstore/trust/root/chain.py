"""Every trust root of a product that is at hand, and which of them judges which release.

Each root names the digest of the one before it and the last release that earlier ones judge. So whoever
trusts the newest root knows all earlier ones by content, and a key that was removed still verifies what it
signed while it was in force, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from airstore.core.errors import NotTrustedError, SequenceError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.root.model import WHAT, TrustRoot, parse_payload
from airstore.trust.root.sign import PAYLOAD_TYPE, verify_next


@frozen
class RootChain:
    """Roots of consecutive versions, oldest first; the last one is in force.

    The first need not be version 1: a site is enrolled with one root, and media bring the earlier ones.
    """

    roots: tuple[TrustRoot, ...]

    @property
    def current(self) -> TrustRoot:
        """The root in force."""
        return self.roots[-1]

    @property
    def oldest(self) -> TrustRoot:
        """The earliest one at hand."""
        return self.roots[0]

    @property
    def floor(self) -> int:
        """Sequence of the last release before a key was revoked; what ends before it proves nothing.

        Whoever stole that key can make another history up to there; the root names the genuine one's end.
        """
        revoking = [new for old, new in pairwise(self.roots) if _revokes(old, new)]
        pins = [root.after for root in (self.oldest, *revoking) if root.after]
        return max((pin.sequence for pin in pins), default=0)

    def in_force_at(self, sequence: int) -> TrustRoot:
        """The root that judges the release with this sequence number.

        Raises:
            NotTrustedError: it is an earlier one, which is not at hand.
        """
        for root in reversed(self.roots):
            if sequence >= root.first_sequence:
                return root
        raise NotTrustedError(
            f"release sequence {sequence} was signed under a {WHAT} before version {self.oldest.version}, "
            "and that one is not here",
            hint="import media that the publisher made since: they carry all trust roots",
        )

    def role_at(self, sequence: int) -> Role:
        """Who had to sign the release with this sequence number.

        Raises:
            NotTrustedError: as `in_force_at`.
        """
        return self.in_force_at(sequence).release_role

    def check_pin(self, sequence: int, digest: Digest, commit: str) -> None:
        """Refuse another release where a root names the one that was there when it came into force.

        Raises:
            SequenceError: it is another one.
        """
        for root in self.roots:
            pin = root.after
            if pin and pin.sequence == sequence and (pin.digest, pin.commit) != (digest, commit):
                raise SequenceError(
                    f"fork: the release with sequence {sequence} is not the {pin.version} that {WHAT} "
                    f"{root.version} names",
                    hint="import full media that the publisher made under that root: they replace it",
                )

    def name_of(self, keyid: str) -> str:
        """Name of the holder of a release key, that of the newest root that knows it; else the id."""
        for root in reversed(self.roots):
            for key in root.release_role.keys:
                if key.keyid == keyid:
                    return root.name_of(key)
        return keyid

    def followed_by(self, signed: bytes) -> RootChain:
        """The chain with root N+1 in force.

        Raises:
            NotTrustedError, SequenceError, DamagedError: as `verify_next`.
        """
        return RootChain((*self.roots, verify_next(self.current, signed)))

    def preceded_by(self, signed: bytes) -> RootChain:
        """The chain with the root before its oldest one, which that one names by content.

        Raises:
            NotTrustedError: it is another root.
            DamagedError: it is none.
        """
        payload = envelope.read(signed, PAYLOAD_TYPE, WHAT).payload
        link = self.oldest.link
        if link is None or Digest.of(payload) != link.previous:
            raise NotTrustedError(f"this is not the {WHAT} that version {self.oldest.version} continues")
        return RootChain((parse_payload(payload), *self.roots))

    def walked(self, offered: Mapping[int, bytes]) -> RootChain:
        """The chain with what media bring: root N+1 after root N as far as they go, and earlier ones.

        Args:
            offered: version to envelope, nothing of it trusted yet.

        Raises:
            SequenceError: another root of a version that is known, or one is missing in between.
            NotTrustedError, DamagedError: as `followed_by` and `preceded_by`.
        """
        chain = self
        while chain.oldest.link and (signed := offered.get(chain.oldest.version - 1)):
            chain = chain.preceded_by(signed)
        for version in sorted(offered):
            if version <= chain.current.version:
                chain.check_same(offered[version])
            else:
                _check_next(chain.current.version, version)
                chain = chain.followed_by(offered[version])
        return chain

    def check_same(self, signed: bytes) -> None:
        """Compare a root with the one of that version in the chain.

        Raises:
            SequenceError: it has other content.
            DamagedError: it is none.
        """
        payload = envelope.read(signed, PAYLOAD_TYPE, WHAT).payload
        version = parse_payload(payload).version
        known = next((root for root in self.roots if root.version == version), None)
        if known and known.to_bytes() != payload:
            raise SequenceError(
                f"fork: there is another {WHAT} with version {version} than the one trusted here",
                hint="ask the publisher which one is genuine; nothing was changed",
            )


def _check_next(current: int, version: int) -> None:
    if version != current + 1:
        raise SequenceError(
            f"gap: after {WHAT} {current} comes {current + 1}, and version {version} is offered",
            hint="get the versions between from the publisher: roots/ on its media has all of them",
        )


def _revokes(old: TrustRoot, new: TrustRoot) -> bool:
    """Whether signatures that were enough are so no more."""
    before, after = old.release_role, new.release_role
    return not set(before.keys) <= set(after.keys) or after.threshold > before.threshold
