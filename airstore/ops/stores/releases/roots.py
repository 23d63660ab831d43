"""Putting the next trust root into force, and what it means for the releases that are here already.

Order, so that every moment is one that a later command can go on from: the root that was in force goes to
``trust/roots/``, the new one becomes ``root.json``, releases that it disowns leave the history, the trusted
sequence follows, and last the state says that this root is in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from airstore.core.durable import make_directory, storage_errors, write_file
from airstore.core.errors import NotTrustedError, SequenceError
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.verify import VerifiedRelease, verify_release
from airstore.trust.policy import check_root_version
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import allowed_signers
from airstore.trust.state import TrustState


def signed_roots(store: StoreDirectory) -> dict[int, bytes]:
    """The envelopes of all trust roots of a store, by version."""
    chain = store.trust()
    files = {root.version: store.layout.earlier_root(root.version) for root in chain.roots[:-1]}
    return {version: file.read_bytes() for version, file in files.items()} | {
        chain.current.version: store.root_file.read_bytes()
    }


def adopt(store: StoreDirectory, chain: RootChain, offered: Mapping[int, bytes]) -> tuple[str, ...]:
    """Write down what a walk over trust roots came to, and settle; with the store's lock.

    Args:
        store: of either side.
        chain: from `RootChain.walked`.
        offered: what it was given.

    Returns:
        Versions of releases that were disowned, oldest first.

    Raises:
        SequenceError: the store's own root is another one than its state says.
        StorageError: the disk is full or failed; a later call goes on.
    """
    held = store.trust()
    if store.side == SITE:
        check_root_version(TrustState.load(store.state_file), held)
    known = {root.version for root in held.roots}
    if chain != held:
        with storage_errors(store.layout.roots):
            make_directory(store.layout.roots)
        files = {version: signed for version, signed in offered.items() if version not in known}
        files[held.current.version] = store.root_file.read_bytes()
        newest = chain.current.version
        for version, signed in sorted(files.items()):
            if chain.oldest.version <= version < newest:
                write_file(store.layout.earlier_root(version), signed, mode=0o644, disk=store.disk)
        if newest != held.current.version:
            write_file(store.root_file, files[newest], mode=0o644, disk=store.disk)
    return settle(store)


def settle(store: StoreDirectory) -> tuple[str, ...]:
    """Bring history and state in line with the root in force; what is in line stays untouched.

    Returns:
        Versions of releases that were disowned, oldest first.
    """
    chain = store.trust()
    if store.side != SITE:
        _trust_signers(store, chain)
        return ()
    state = TrustState.load(store.state_file)
    check_root_version(state, chain)
    if state.root_version == chain.current.version:
        return ()
    kept = disowned(store, chain, state.root_version)
    gone = _retreat(store, state, kept) if kept is not None else ()
    state = TrustState.load(store.state_file)
    replace(state, root_version=chain.current.version).save(store.state_file, disk=store.disk)
    _trust_signers(store, chain)
    return gone


def retreat_to_pin(store: StoreDirectory, chain: RootChain) -> tuple[str, ...]:
    """Give up the releases after the last one that a trust root names: the publisher's are others."""
    state = TrustState.load(store.state_file)
    return _retreat(store, state, _pinned_before(chain, state.sequence))


def disowned(store: StoreDirectory, chain: RootChain, since: int) -> int | None:
    """The sequence number after which the roots after version ``since`` disown releases of a store.

    A release that one of them names is compared with it; those after it must be signed by its keys. Where
    another one stands in the place that a root names, nobody can say where it forked: everything after the
    last named one goes, down to none.

    Returns:
        None where they disown nothing.
    """
    first = min((root.first_sequence - 1 for root in chain.roots if root.version > since), default=0)
    for ref in store.history.releases():
        if ref.sequence < first:
            continue
        try:
            verify_release(store.history, ref.commit, chain)
        except (NotTrustedError, SequenceError):
            named = any(root.after and root.after.sequence == ref.sequence for root in chain.roots)
            return _pinned_before(chain, ref.sequence) if named else ref.sequence - 1
    return None


def _pinned_before(chain: RootChain, sequence: int) -> int:
    pins = (root.after.sequence for root in chain.roots if root.after)
    return max((pin for pin in pins if pin < sequence), default=0)


def _retreat(store: StoreDirectory, state: TrustState, kept: int) -> tuple[str, ...]:
    history = store.history
    refs = history.releases()
    gone = tuple(ref.version for ref in refs if ref.sequence > kept)
    last = refs[kept - 1] if 0 < kept <= len(refs) else None
    history.disown(last.commit if last else None)
    if state.sequence > kept:
        found = verify_release(history, last.commit, store.trust()) if last else None
        _state(state, found).save(store.state_file, disk=store.disk, recover=True)
    return gone


def _state(state: TrustState, found: VerifiedRelease | None) -> TrustState:
    if found is None:
        return TrustState(state.root_version)
    return TrustState(state.root_version, found.release.sequence, found.digest, found.commit)


def _trust_signers(store: StoreDirectory, chain: RootChain) -> None:
    store.history.trust_signers(allowed_signers(chain.current, chain.roots[:-1]))
