"""The keys of sites in a shared store: the files that receipts are checked with, and what is signed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import NotFoundError, SequenceError
from airstore.history.git.names import HEADS
from airstore.ops.media.receipts import add_site, list_sites
from airstore.ops.share.branches.moves import SITES
from airstore.ops.share.branches.register import Register, SiteEntry, make_entry, read_register
from airstore.ops.share.branches.snapshots import Snapshot
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.noted import noting
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.signing import SigningKey


def own_register(store: StoreDirectory) -> dict[str, SiteEntry]:
    """What is signed here or was taken in, by keys that the trust root in force names."""
    commit = store.history.branch(SITES)
    return read_register(store.history.files(commit), store.trust_root())[0] if commit else {}


def save_register(store: StoreDirectory, register: Register) -> str | None:
    """Keep what is signed; the commit.

    Raises:
        StorageError: the disk is full or failed.
    """
    if not register:
        store.history.refs.remove(HEADS + SITES)
        return None
    files = {entry.file: entry.signed for entry in register.values()}
    commit = Snapshot(files, f"{store.name}: {SITES}").write(store)
    store.history.set_branch(SITES, commit)
    return commit


def register_site(store: StoreDirectory, site: str, key_file: Path, signer: SigningKey | None) -> PublicKey:
    """Register a site's key; with a release key, for all who share the store.

    Raises:
        NotFoundError, UsageError, DamagedError: as `add_site`.
        LockedError: another process holds the lock.
    """
    with store.locked():
        key = add_site(store, site, key_file)
        if signer:
            _say(store, {site: key}, signer)
        return key


def share_sites(store: StoreDirectory, signer: SigningKey) -> list[str]:
    """Sign the keys of all sites that are registered here alone; their names.

    Raises:
        LockedError: another process holds the lock.
    """
    with store.locked():
        alone = {site: key for site, key in list_sites(store) if site in set(unshared(store))}
        if alone:
            _say(store, alone, signer)
        return list(alone)


def unshared(store: StoreDirectory) -> list[str]:
    """Sites that are registered here alone."""
    register = own_register(store)
    known = {site: entry.key for site, entry in register.items()}
    return [site for site, key in list_sites(store) if known.get(site) != key]


def remove_site(store: StoreDirectory, site: str, signer: SigningKey | None) -> None:
    """Accept no more receipts of a site.

    Args:
        store: the publisher's.
        site: its name.
        signer: a release key that says so to the others; None to take it out here alone.

    Raises:
        NotFoundError: there is no such site.
        LockedError: another process holds the lock.
    """
    with store.locked():
        register = own_register(store)
        if not _file(store, site).exists() and not _live(register, site):
            raise NotFoundError(f"there is no site {site!r} here", hint="see `airstore site list`")
        if site in register and signer:
            _say(store, {site: None}, signer)
        elif site in register:
            save_register(store, {name: each for name, each in register.items() if name != site})
        _forget(store, site)


def needs_saying(store: StoreDirectory, site: str) -> bool:
    """Whether others have been told of a site, so that they have to be told that it is gone."""
    return _live(own_register(store), site)


def check_taken(store: StoreDirectory, news: Register, where: str) -> None:
    """Refuse keys that others registered where somebody has registered another one here alone.

    Raises:
        SequenceError: there is one.
    """
    known, own = dict(list_sites(store)), own_register(store)
    for site, entry in news.items():
        here = known.get(site)
        if here in {None, entry.key} or (site in own and own[site].key == here):
            continue
        raise SequenceError(
            f"site {site!r} is registered at {where} with another key than here; nothing was changed",
            hint=f"ask the site which is its own; `airstore site remove --here {site}` lets go of this one",
        )


def take_register(store: StoreDirectory, register: Register, news: Register) -> None:
    """Make what was taken in count: first the files, so that a killed call is finished by the next.

    Raises:
        StorageError: the disk is full or failed.
    """
    for site, entry in news.items():
        if entry.key is None or dict(list_sites(store)).get(site) not in {None, entry.key}:
            _forget(store, site)
        if entry.key is not None and not _file(store, site).exists():
            with noting(store, _file(store, site)):
                entry.key.save_named(_file(store, site), site)
    save_register(store, register)


def news_of(own: Register, register: Register) -> dict[str, SiteEntry]:
    """Entries that are not what is known already."""
    return dict(_news(own, register))


def _news(own: Register, register: Register) -> Iterator[tuple[str, SiteEntry]]:
    for site, entry in register.items():
        before = own.get(site)
        if before is None or (before.serial, before.key) != (entry.serial, entry.key):
            yield site, entry


def _say(store: StoreDirectory, keys: Mapping[str, PublicKey | None], signer: SigningKey) -> None:
    register = own_register(store)
    for site, key in keys.items():
        earlier = register.get(site)
        if earlier is None or earlier.key != key:
            register[site] = make_entry(store.name, site, key, earlier, signer)
    save_register(store, register)


def _live(register: Register, site: str) -> bool:
    return site in register and register[site].key is not None


def _file(store: StoreDirectory, site: str) -> Path:
    return store.sites / f"{site}.pub"


def _forget(store: StoreDirectory, site: str) -> None:
    paths = (_file(store, site), store.receipt_file(site))
    with noting(store, *paths):
        for path in paths:
            with storage_errors(path):
                path.unlink(missing_ok=True)
