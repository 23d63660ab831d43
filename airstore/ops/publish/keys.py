"""Release keys and the trust root at a publisher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from airstore.core.durable import write_file
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.noted import noting
from airstore.trust.root.sign import RELEASE_ROLE, ROOT_ROLE, TrustRoot, allowed_signers, sign_root
from airstore.trust.ssh.algorithm import KINDS as _GENERATORS
from airstore.trust.ssh.keys import PrivateKey, PublicKey
from airstore.trust.ssh.signing import SigningKey, load_signing_key

Passphrase = Callable[[], bytes]
KINDS = tuple(_GENERATORS)  # of keys that can be made, the usual one first
ROOT_KEY = "root"  # made with the first key


@frozen
class KeyEntry:
    """One key file of the store.

    Attributes:
        keyid: SHA-256 of the public key, hex.
        roles: roles of the trust root that name it.
    """

    name: str
    keyid: str
    roles: tuple[str, ...]
    path: Path


def generate_key(
    store: StoreDirectory, name: str, passphrase: bytes | None, kind: str = KINDS[0]
) -> tuple[KeyEntry, Path | None]:
    """Make a key. With the first one a root key is made, too, and the trust root that pins both.

    The root key signs the next trust root and nothing else, so that it can be taken away from here: whoever
    steals the release key cannot name the next one.

    Returns:
        The key, and the root key's file if it was made.

    Raises:
        UsageError: there is a key of that name, or a key cannot have it.
    """
    key, root_key = PrivateKey.generate(kind), PrivateKey.generate(kind)
    root_name = ROOT_KEY if name != ROOT_KEY else f"{ROOT_KEY}-key"
    # Made before anything is written, and for every key: it is what knows how a key may be called.
    root = TrustRoot.create(
        store.name,
        {name: key.public, root_name: root_key.public},
        {ROOT_ROLE: ([root_name], 1), RELEASE_ROLE: ([name], 1)},
    )
    first = not store.root_file.exists()
    for each in (name, *([root_name] if first else [])):
        _check_new(store, each)
    _save(store, name, key, passphrase)
    if first:
        _save(store, root_name, root_key, passphrase)
        write_root(store, root, sign_root(root, [root_key]))
    entry = next(entry for entry in list_keys(store) if entry.name == name)
    return entry, store.keys / root_name if first else None


def import_key(store: StoreDirectory, name: str, uri: str) -> KeyEntry:
    """Take in the public half of a key that a key management service holds; that signs from then on.

    Raises:
        UsageError: there is a key of that name, or the service has none that can sign here.
        TransferError: the service refused or did not answer.
    """
    _check_new(store, name)
    if (store.keys / f"{name}.pub").exists():
        raise UsageError(
            f"there is a key {name!r} already", hint="keys are never overwritten: choose a new name"
        )
    from airstore.trust.ssh.kms import KmsKey  # noqa: PLC0415 - loads the libraries of every service

    key, held = KmsKey.ask(uri), ([name], 1)
    # For what it refuses: it is what knows how a key may be called.
    TrustRoot.create(store.name, {name: key.public}, {ROOT_ROLE: held, RELEASE_ROLE: held})
    public = store.keys / f"{name}.pub"
    with noting(store, public):
        key.public.save(public, key.uri)
    return next(entry for entry in list_keys(store) if entry.name == name)


def _check_new(store: StoreDirectory, name: str) -> None:
    path = store.keys / name
    if path.suffix == ".pub":
        raise UsageError(f"a private key cannot be called {name!r}: public keys end like this")
    if path.exists():
        raise UsageError(
            f"there is a key {name!r} already", hint="keys are never overwritten: choose a new name"
        )


def _save(store: StoreDirectory, name: str, key: PrivateKey, passphrase: bytes | None) -> None:
    public = store.keys / f"{name}.pub"
    with noting(store, public):
        key.save(store.keys / name, passphrase)
        key.public.save(public, name)


def write_root(store: StoreDirectory, root: TrustRoot, signed: bytes) -> None:
    """Put a trust root into force, and tell git in the history repo whose signatures are good."""
    write_file(store.root_file, signed, mode=0o644)
    store.history.trust_signers(allowed_signers(root))


def list_keys(store: StoreDirectory) -> list[KeyEntry]:
    """Every key file of the store, by name."""
    return list(_entries(store))


def root_keys_here(store: StoreDirectory) -> list[str]:
    """Names of the keys that sign trust roots and whose private files lie in this store."""
    return [entry.name for entry in list_keys(store) if ROOT_ROLE in entry.roles and entry.path.exists()]


def load_key(
    store: StoreDirectory, name: str, passphrase: Passphrase | None, agent: Path | None = None
) -> SigningKey:
    """A key that may sign releases and media; without a name, the only one there is.

    Where a key's private file is not in the store, ``agent``, the socket of an ssh-agent, is asked for it.

    A release that another key signed would be refused by every site, and by this store too.

    Raises:
        NotFoundError: no such key, or neither file nor agent has it.
        UsageError: several keys and none named, or the trust root does not let this one sign.
    """
    entries = {entry.name: entry for entry in list_keys(store)}
    if not entries:
        raise NotFoundError(f"{store.path} has no key", hint="make one with `airstore key generate NAME`")
    able = [name for name, entry in entries.items() if RELEASE_ROLE in entry.roles]
    if not name and len(able) > 1:
        raise UsageError(f"there are several keys: {', '.join(able)}", hint="name one with --key")
    chosen = name or (able or list(entries))[0]
    if chosen not in entries:
        raise NotFoundError(f"there is no key {chosen!r}; there are: {', '.join(entries)}")
    if chosen not in able:
        raise UsageError(
            f"the trust root does not let the key {chosen!r} sign releases: sites would refuse them",
            hint=f"these keys may: {', '.join(able) or 'none of this store'}",
        )
    return load_signing_key(entries[chosen].path, passphrase, agent)


def _entries(store: StoreDirectory) -> Iterator[KeyEntry]:
    roles = store.trust_root().roles if store.root_file.exists() else {}
    for public in sorted(store.keys.glob("*.pub")):
        key = PublicKey.parse_openssh(public.read_text())
        named = tuple(role for role, held in roles.items() if key in held.keys)
        yield KeyEntry(public.stem, key.keyid, named, public.with_suffix(""))
