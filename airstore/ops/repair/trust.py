"""Trust roots and a site's state, restored.

A root is believed only where something here vouches for it: an earlier root that it continues, a later one
that names it by content, the digest that this store wrote down when it last verified releases, or whoever
names it with ``--trust``. The state of a site follows from what it holds: import makes a release visible
before the state, so the newest verified release here is never older than what was trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from airstore.core.durable import make_directory, storage_errors, write_file
from airstore.core.errors import AirstoreError, DamagedError, NotTrustedError, SequenceError
from airstore.core.image.digest import Digest
from airstore.history.inspection import readable_tags
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.releases.remembered import vouched_root
from airstore.ops.stores.releases.trusted import read_root
from airstore.ops.stores.site.states import broken_links, follow
from airstore.ops.stores.verify import VerifiedRelease, verify_release
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import TrustRoot, allowed_signers, parse_root, verify_first
from airstore.trust.state import TrustState

Offers = Sequence[Mapping[int, bytes]]  # for each place: roots by version, none of them trusted


def restore_roots(store: StoreDirectory, offered: Offers, named: Path | None) -> Iterator[str]:
    """Restore the root in force, and the ones before it; yields what was restored.

    Args:
        store: of either side.
        offered: what each place has; a wrong one does not hide a right one.
        named: a root that whoever runs this vouches for.

    Raises:
        NotTrustedError: ``named`` is no root of this store's.
        StorageError: the disk is full or failed.
    """
    if not _readable(store):
        found = _vouched(store, offered, named)
        if found is None:
            return
        _write(store.root_file, found, store)
        yield f"{store.root_file}"
    yield from _restore_earlier(store, offered)
    with suppress(DamagedError, NotTrustedError):  # `check` names it
        yield from _restore_links(store, offered)


def restore_signers(store: StoreDirectory) -> Iterator[str]:
    """Restore git's list of the keys of the trust roots."""
    chain = store.trust()
    wanted, path = allowed_signers(chain.current, chain.roots[:-1]), store.history.path / "allowed_signers"
    if not path.is_file() or path.read_bytes() != wanted.encode():
        store.history.trust_signers(wanted)
        yield f"{path}"


def restore_state(store: StoreDirectory, newest: VerifiedRelease | None) -> Iterator[str]:
    """Restore a site's state from the newest verified release."""
    if store.side != SITE or readable_state(store):
        return
    root = store.trust_root()
    state = TrustState(root.version)
    if newest:
        state = TrustState(root.version, newest.release.sequence, newest.digest, newest.commit)
    with storage_errors(store.state_file):
        store.state_file.unlink(missing_ok=True)
    state.save(store.state_file, disk=store.disk)
    yield f"{store.state_file}: sequence {state.sequence} is trusted, as the newest release here says"


def readable_state(store: StoreDirectory) -> TrustState | None:
    """What a site trusts, if that can be read."""
    with suppress(DamagedError, NotTrustedError):
        return TrustState.load(store.state_file)
    return None


def _readable(store: StoreDirectory) -> bool:
    with suppress(AirstoreError, OSError):
        store.trust_root()
        return True
    return False


def _vouched(store: StoreDirectory, offered: Offers, named: Path | None) -> bytes | None:
    if named:
        signed, root = read_root(named)
        state = readable_state(store) if store.side == SITE else None
        if state and root.version != state.root_version:
            raise NotTrustedError(
                f"{named} is trust root {root.version}; this site trusts version {state.root_version}"
            )
        _check_signs(store, root, named)
        return signed
    digest = vouched_root(store)
    for signed in (signed for roots in offered for signed in roots.values()):
        with suppress(DamagedError, NotTrustedError):
            if digest == Digest.of(verify_first(signed).to_bytes()):
                return signed
    continued = (_continued(store, roots) for roots in offered)
    return next(filter(None, continued), None)


def _check_signs(store: StoreDirectory, root: TrustRoot, named: Path) -> None:
    """Refuse a root under which nothing holds that this store has: it is another publisher's."""
    history, chain = store.history, RootChain((root,))
    faults = []
    for _, commit in readable_tags(history):
        try:
            verify_release(history, commit, chain)
        except (NotTrustedError, SequenceError) as fault:
            faults.append(fault)
        except DamagedError:  # that says nothing of the root
            continue
        else:
            return
    if faults:
        raise NotTrustedError(f"{named} is not this store's trust root: {faults[-1]}")


def _continued(store: StoreDirectory, offered: Mapping[int, bytes]) -> bytes | None:
    """The root that follows from the last one that was in force before it."""
    state = readable_state(store) if store.side == SITE else None
    for version, file in sorted(store.layout.earlier_roots().items(), reverse=True):
        with suppress(DamagedError, NotTrustedError, SequenceError):
            start = RootChain((verify_first(file.read_bytes()),))
            later = {number: signed for number, signed in offered.items() if number > version}
            end = start.walked(later).current.version
            if end > version and (state is None or end >= state.root_version):
                return later[state.root_version if state else end]
    return None


def _restore_earlier(store: StoreDirectory, offered: Offers) -> Iterator[str]:
    chain = RootChain((store.trust_root(),))
    while chain.oldest.link:
        version = chain.oldest.version - 1
        file = store.layout.earlier_root(version)
        try:
            chain = chain.preceded_by(file.read_bytes())
            continue
        except (OSError, DamagedError, NotTrustedError):
            missing = not file.exists()
        found = next(_fitting(chain, [roots[version] for roots in offered if version in roots]), None)
        if found is None:
            return
        chain = chain.preceded_by(found)
        with storage_errors(file):
            make_directory(file.parent)
        _write(file, found, store)
        yield f"{file}" if not missing else f"{file}, which was missing"


def _restore_links(store: StoreDirectory, offered: Offers) -> Iterator[str]:
    for broken in list(broken_links(store)):
        for signed in (roots[broken.root.version] for roots in offered if broken.root.version in roots):
            with suppress(DamagedError, NotTrustedError, SequenceError):
                if follow(broken.before, signed) == broken.root:
                    _write(broken.file, signed, store)
                    yield f"{broken.file}"
                    break


def _fitting(chain: RootChain, candidates: Sequence[bytes]) -> Iterator[bytes]:
    for signed in candidates:
        with suppress(DamagedError, NotTrustedError):
            chain.preceded_by(signed)
            yield signed


def _write(path: Path, signed: bytes, store: StoreDirectory) -> None:
    parse_root(signed)
    write_file(path, signed, mode=0o644, disk=store.disk)
