"""One version of the trust root as a value, and its canonical JSON (schemas/trust-root.schema.json)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from airstore.core.errors import DamagedError, NotTrustedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import API_VERSION
from airstore.core.parsing import schema, strictjson
from airstore.trust.role import Role
from airstore.trust.ssh.keys import PublicKey

WHAT = "trust root"
ROOT_ROLE, RELEASE_ROLE = "root", "release"

_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")  # safe as a principal in allowed_signers
_PRODUCT = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@frozen
class Pin:
    """The last release that is judged by the roots before this one.

    Attributes:
        digest: of its ``release.json``.
        commit: its commit in the history, which somebody could make again with the same content.
    """

    sequence: int
    version: str
    digest: Digest
    commit: str

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "sequence": self.sequence,
            "version": self.version,
            "digest": str(self.digest),
            "commit": self.commit,
        }

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Pin:
        """From a JSON object that passed its schema."""
        return cls(entry["sequence"], entry["version"], Digest(entry["digest"]), entry["commit"])


@frozen
class RootLink:
    """How a root continues the one before it.

    Attributes:
        previous: digest of that root's payload.
        after: the last release that it judges; None where there was none yet.
    """

    previous: Digest
    after: Pin | None


@frozen
class TrustRoot:
    """One version of the trust root.

    Attributes:
        version: 1 for the first, then one more each time.
        keys: name of its holder to key; the names are principals in git's signature checks.
        roles: ``root`` (may sign the next root) and ``release`` (may sign releases and media).
        expires: when sites must have a newer root; None for never.
        link: to the root before; None for the first.

    Raises:
        UsageError: a name cannot be used, one key has two names, or a key has no role.
    """

    product: str
    version: int
    keys: Mapping[str, PublicKey] = field(hash=False)
    roles: Mapping[str, Role] = field(hash=False)
    expires: datetime | None = None
    link: RootLink | None = None

    def __post_init__(self) -> None:
        _check_names(self)
        used = {key for role in self.roles.values() for key in role.keys}
        if set(self.roles) != {ROOT_ROLE, RELEASE_ROLE} or used != set(self.keys.values()):
            raise UsageError("a trust root has the roles root and release, and every key in one of them")
        if len(set(self.keys.values())) != len(self.keys):
            raise UsageError("one key has two names in the trust root; it would count as two signers")

    @classmethod
    def create(
        cls,
        product: str,
        keys: Mapping[str, PublicKey],
        roles: Mapping[str, tuple[Sequence[str], int]],
        *,
        version: int = 1,
        expires: datetime | None = None,
        link: RootLink | None = None,
    ) -> TrustRoot:
        """Build a root from names.

        Args:
            product: the one product it is about.
            keys: name to key.
            roles: role to names of its keys and threshold.
            version: one more than the root it replaces.
            expires: with a time zone; kept to the second.
            link: to the root it replaces.

        Raises:
            UsageError: a role names an unknown key, its threshold cannot be met, or as for the class.
        """
        unknown = sorted({name for names, _ in roles.values() for name in names} - set(keys))
        if unknown:
            raise UsageError(f"a role names keys that are not in the trust root: {', '.join(unknown)}")
        built = {
            role: Role(tuple(keys[name] for name in sorted(names)), threshold)
            for role, (names, threshold) in roles.items()
        }
        when = expires.astimezone(UTC).replace(microsecond=0) if expires else None
        return cls(product, version, dict(keys), built, when, link)

    @property
    def release_role(self) -> Role:
        """Who signs releases and media."""
        return self.roles[RELEASE_ROLE]

    @property
    def media_role(self) -> Role:
        """Who signs media: one key of the release role, for what media list is checked against releases."""
        return Role(self.release_role.keys, 1)

    @property
    def after(self) -> Pin | None:
        """The last release that roots before this one judge."""
        return self.link.after if self.link else None

    @property
    def first_sequence(self) -> int:
        """The sequence number from which on this root judges releases."""
        return self.after.sequence + 1 if self.after else 1

    @property
    def digest(self) -> Digest:
        """Of its payload."""
        return Digest.of(self.to_bytes())

    def name_of(self, key: PublicKey) -> str:
        """Name of a key's holder; its fingerprint where the root does not know it."""
        return next((name for name, known in self.keys.items() if known == key), key.fingerprint)

    def days_left(self, now: datetime) -> int | None:
        """Whole days until it expires, below 0 afterwards; None where it never does."""
        return (self.expires - now).days if self.expires else None

    def check_expiry(self, now: datetime) -> None:
        """Refuse a root that is too old; ``now`` is fixed once per command, with a time zone (TUF 5.1).

        Raises:
            NotTrustedError: the root has expired.
        """
        if self.expires and now >= self.expires:
            raise NotTrustedError(
                f"{WHAT} {self.version} of {self.product} expired on {self.expires.strftime(_TIME)}",
                hint="get the next trust root from the publisher; check this machine's clock, too",
            )

    def to_bytes(self) -> bytes:
        """The canonical payload."""
        names = {key: name for name, key in self.keys.items()}
        roles = {
            role: {"keys": sorted(names[key] for key in members.keys), "threshold": members.threshold}
            for role, members in self.roles.items()
        }
        document = {
            "apiVersion": API_VERSION,
            "kind": "TrustRoot",
            "product": self.product,
            "version": self.version,
            "expires": self.expires.strftime(_TIME) if self.expires else None,
            "keys": {name: key.openssh() for name, key in self.keys.items()},
            "roles": roles,
        }
        if self.link:
            document["previous"] = str(self.link.previous)
            document["after"] = self.after.to_json() if self.after else None
        return strictjson.dumps(document)


def parse_payload(payload: bytes) -> TrustRoot:
    """Read a payload. That its signatures hold is for the caller to check.

    Raises:
        NotTrustedError: one key under two names, or roles that cannot be.
        DamagedError: not a canonical trust root.
    """
    document = strictjson.load_object(payload, WHAT)
    schema.check_json(document, "trust-root", WHAT)
    try:
        root = _from_json(document)
    except UsageError as fault:
        raise NotTrustedError(f"{WHAT}: {fault}") from fault
    if root.to_bytes() != payload:
        raise DamagedError(f"{WHAT} is not in its canonical form, so it was not written by airstore")
    return root


def _check_names(root: TrustRoot) -> None:
    if not _PRODUCT.fullmatch(root.product):
        raise UsageError(f"not a product name: {root.product!r}")
    bad = [name for name in root.keys if not _KEY_NAME.fullmatch(name)]
    if bad:
        raise UsageError(f"not a key name: {bad[0]!r}; use letters, digits and . _ @ + - only")


def _from_json(document: Mapping[str, Any]) -> TrustRoot:
    return TrustRoot.create(
        document["product"],
        {name: PublicKey.parse_openssh(text, f"key {name}") for name, text in document["keys"].items()},
        {role: (entry["keys"], entry["threshold"]) for role, entry in document["roles"].items()},
        version=document["version"],
        expires=_time(document["expires"]),
        link=_link(document),
    )


def _link(document: Mapping[str, Any]) -> RootLink | None:
    if "previous" not in document:
        return None
    after = document["after"]
    return RootLink(Digest(document["previous"]), Pin.parse(after) if after else None)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError as fault:
        raise DamagedError(f"{WHAT}: expires is not a time such as 2030-01-31T12:00:00Z: {text!r}") from fault
