"""The next trust root at a publisher: drafted, signed by one person after the other, put into force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path

from airstore.core.durable import write_file
from airstore.core.errors import NotFoundError, SequenceError, UsageError
from airstore.core.frozen import frozen
from airstore.ops.publish.keys import write_root
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.stores.noted import note_keys, noting
from airstore.ops.stores.releases.lost import require_refs
from airstore.ops.stores.releases.roots import adopt, disowned
from airstore.ops.stores.releases.trusted import verified
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import (
    RELEASE_ROLE,
    ROOT_ROLE,
    Pin,
    RootLink,
    TrustRoot,
    draft_root,
    lacking,
    parse_root,
    sign_root,
    verify_first,
)
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.signing import SigningKey

ROLES = (ROOT_ROLE, RELEASE_ROLE)


@frozen
class RootChange:
    """What the next root says otherwise.

    Attributes:
        add: names and keys, each with the roles it gets.
        remove: names, each with the roles it loses.
        thresholds: by role.
        expires: when the root does, in a list of one; None within it for never; empty: as before.
    """

    add: Sequence[tuple[str, PublicKey, Sequence[str]]] = ()
    remove: Sequence[tuple[str, Sequence[str]]] = ()
    thresholds: Mapping[str, int] = field(default_factory=dict)
    expires: Sequence[datetime | None] = ()


@frozen
class PendingRoot:
    """A root on its way: its envelope, and how many signatures it lacks, of the keys before and its own."""

    root: TrustRoot
    envelope: bytes
    lacks: tuple[int, int]

    @property
    def complete(self) -> bool:
        """Whether it can come into force."""
        return self.lacks == (0, 0)


def draft(store: StoreDirectory, change: RootChange) -> TrustRoot:
    """Write the next root down, to be signed; it goes on from a draft that is there, whose signatures go.

    Raises:
        UsageError: a key is there already, a threshold cannot be met, or no key is left.
        NotFoundError: there is no such key.
    """
    current = store.trust_root() if store.root_file.is_file() else None
    base = parse_root(store.layout.root_draft.read_bytes()).root if has_draft(store) else current
    root = _changed(store, base, current, change)
    with store.locked():
        note_keys(store, [store.keys / f"{name}.pub" for name, _, _ in change.add])
        with noting(store, store.layout.root_draft):
            write_file(store.layout.root_draft, draft_root(root), mode=0o644, disk=store.disk)
    return root


def has_draft(store: StoreDirectory) -> bool:
    """Whether a next root is being made."""
    return store.layout.root_draft.is_file()


def discard(store: StoreDirectory) -> None:
    """Forget the draft, if there is one."""
    with noting(store, store.layout.root_draft):
        store.layout.root_draft.unlink(missing_ok=True)


def co_sign(signed: bytes, keys: Sequence[SigningKey], current: TrustRoot | None) -> PendingRoot:
    """Add signatures to a draft.

    Args:
        signed: the draft's envelope.
        keys: to sign with.
        current: the root before, where it is known: keys of neither are refused.

    Raises:
        UsageError: a key is no root key of the draft or of the root before.
        NotTrustedError, DamagedError: it is no trust root.
    """
    root = parse_root(signed).root
    if current:
        for key in keys:
            if not any(key.public in each.roles[ROOT_ROLE].keys for each in (root, current)):
                raise UsageError(
                    f"{current.name_of(key.public)} is no root key, neither of trust root {root.version} nor "
                    "of the one before: its signature would count for nothing"
                )
    both = sign_root(root, keys, previous=signed)
    return PendingRoot(root, both, lacking(both, current))


def accept(store: StoreDirectory, signed: Sequence[bytes]) -> tuple[RootChain, tuple[str, ...]]:
    """Put roots into force, one after the other; at either side.

    Returns:
        All roots, and at a site the versions of releases that the new ones disown.

    Raises:
        NotTrustedError: one is not signed by the root before it and by itself.
        SequenceError: it does not follow, or at a publisher a release was made that it would disown.
    """
    offered = {parse_root(each).root.version: each for each in signed}
    with store.locked():
        if not store.root_file.is_file() and store.side == PUBLISHER:
            first = offered.pop(min(offered))
            write_root(store, verify_first(first), first)
        held = store.trust()
        chain = held.walked(offered)
        if store.side == PUBLISHER:
            _check_kept(store, chain, held.current.version)
        gone = adopt(store, chain, offered)
        if store.side == PUBLISHER:
            note_keys(store)
        if has_draft(store) and _version(store) <= chain.current.version:
            discard(store)
    return chain, gone


def _version(store: StoreDirectory) -> int:
    return parse_root(store.layout.root_draft.read_bytes()).root.version


def _check_kept(store: StoreDirectory, chain: RootChain, since: int) -> None:
    if (kept := disowned(store, chain, since)) is not None:
        raise SequenceError(
            f"trust root {chain.current.version} disowns releases of this store after sequence {kept}: they "
            "were made after it was drafted, or in another store",
            hint="draft it again: `airstore trust root create --replace`; then it names the newest release",
        )


def _changed(
    store: StoreDirectory, base: TrustRoot | None, current: TrustRoot | None, change: RootChange
) -> TrustRoot:
    keys = dict(base.keys) if base else {}
    names = {role: [n for n, k in keys.items() if base and k in base.roles[role].keys] for role in ROLES}
    thresholds = {role: base.roles[role].threshold if base else 1 for role in ROLES}
    for name, roles in change.remove:
        _remove(keys, names, name, roles)
    for name, key, roles in change.add:
        _add(keys, names, (name, key), roles)
    used = {name for role in ROLES for name in names[role]}
    expires = change.expires[0] if change.expires else base.expires if base else None
    return TrustRoot.create(
        store.name,
        {name: key for name, key in keys.items() if name in used},
        {role: (names[role], change.thresholds.get(role, thresholds[role])) for role in ROLES},
        version=current.version + 1 if current else 1,
        expires=expires,
        link=RootLink(current.digest, _newest(store)) if current else None,
    )


def _remove(
    keys: Mapping[str, PublicKey], names: Mapping[str, list[str]], name: str, roles: Sequence[str]
) -> None:
    held = [role for role in roles if name in names[role]]
    if not held:
        raise NotFoundError(
            f"there is no key {name!r} in {' and '.join(roles)}; there are: {', '.join(keys)}"
        )
    for role in held:
        names[role].remove(name)
        if not names[role]:
            raise UsageError(
                f"no key would be left in the role {role}",
                hint="add one first: `airstore trust root add-key`; both changes go into one draft",
            )


def _add(
    keys: dict[str, PublicKey],
    names: Mapping[str, list[str]],
    named: tuple[str, PublicKey],
    roles: Sequence[str],
) -> None:
    name, key = named
    if keys.setdefault(name, key) != key:
        raise UsageError(f"there is another key called {name!r} in the trust root", hint="name it otherwise")
    for role in roles:
        if name in names[role]:
            raise UsageError(f"the key {name!r} is in the role {role} already")
        names[role].append(name)


def _newest(store: StoreDirectory) -> Pin | None:
    if store.history.tip is None:
        return None
    require_refs(store)  # a main branch that was set back would have the next root disown what came after
    newest = verified(store)
    return Pin(newest.release.sequence, newest.release.version, newest.digest, newest.commit)


def find_public(store: StoreDirectory, text: str) -> tuple[str, PublicKey]:
    """A key as it is named on the command line: ``NAME=FILE``, a file, or a key of the store.

    Raises:
        NotFoundError: no such file or key.
        DamagedError: not a public key.
    """
    name, equals, file = text.partition("=")
    path = Path(file) if equals else Path(text)
    if not equals and not path.is_file():
        path = store.keys / f"{text}.pub"
    try:
        key = PublicKey.parse_openssh(path.read_text(errors="replace"), str(path))
    except OSError as fault:
        raise NotFoundError(
            f"{text!r} is neither a public key's file nor a key of this store",
            hint="write NAME=FILE.pub, or see `airstore key list`",
        ) from fault
    return name if equals else path.stem, key
