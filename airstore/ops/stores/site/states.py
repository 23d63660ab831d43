"""What a store trusts: the roots, a site's state, and that its history has what the state names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from airstore.core.durable import storage_errors
from airstore.core.errors import AirstoreError, DamagedError, NotTrustedError, SequenceError, StorageError
from airstore.history.git.files import SIGNERS_FILE
from airstore.history.git.names import MAIN
from airstore.history.inspection import owner, packed_refs, ref_files
from airstore.ops.stores.directory import PUBLISHER, SITE, StoreDirectory
from airstore.trust.policy import check_root_version
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import TrustRoot, allowed_signers, parse_root, verify_first, verify_next
from airstore.trust.state import TrustState

ALL = "every release"
DRAFT = "the draft of the next trust root"


def state_faults(store: StoreDirectory) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is wrong, and what cannot be used because of it.

    Raises:
        StorageError: the disk failed.
    """
    if store.side == PUBLISHER and not _has_begun(store):
        return  # no key yet
    steps: tuple[tuple[Callable[[StoreDirectory], None], str], ...] = (
        (_roots, ALL),
        (_links, "sites that have an earlier trust root"),
        (_signers, ALL),
        (_main, owner(MAIN)),
        (_state, "every import"),
        (_trusted_commit, owner(MAIN)),
    )
    of_publisher = (*steps[:4], (_draft, DRAFT))
    for step, breaks in steps if store.side == SITE else of_publisher:
        try:
            step(store)
        except StorageError:
            raise
        except AirstoreError as fault:
            yield str(fault), (breaks,)
            if step in {_roots, _state}:  # the next ones read the same
                return


def _has_begun(store: StoreDirectory) -> bool:
    """Whether there was a trust root, whose root key may lie elsewhere since."""
    layout = store.layout
    traces = (layout.root_file.exists(), (store.keys / "root").exists(), bool(layout.earlier_roots()))
    return any(traces) or bool(ref_files(layout.history) or packed_refs(layout.history))


def _roots(store: StoreDirectory) -> None:
    trust = store.trust()
    if store.side == SITE and store.state_file.exists():
        check_root_version(TrustState.load(store.state_file), trust)
    kept = set(store.layout.earlier_roots())
    unread = sorted(kept - {root.version for root in trust.roots})
    gap = [version for version in unread if version < trust.current.version]
    if gap:
        missing = trust.oldest.version - 1
        raise DamagedError(f"{store.layout.earlier_root(missing)} is missing; the ones before cannot be used")


class BrokenLink(NamedTuple):
    """A root whose signatures do not hold, or do not continue the root before it; its content is right.

    Attributes:
        before: None where the store has none before it.
    """

    file: Path
    before: TrustRoot | None
    root: TrustRoot
    fault: str


def broken_links(store: StoreDirectory) -> Iterator[BrokenLink]:
    """Roots that a site could not walk over: later ones name them by content, which has no signatures.

    Raises:
        NotFoundError, DamagedError, NotTrustedError: as `StoreDirectory.trust`.
    """
    roots, layout = store.trust().roots, store.layout
    for before, root in zip((None, *roots), roots, strict=False):
        file = layout.root_file if root is roots[-1] else layout.earlier_root(root.version)
        try:
            with storage_errors(file):
                follow(before, file.read_bytes())
        except (DamagedError, NotTrustedError, SequenceError) as fault:
            yield BrokenLink(file, before, root, str(fault))


def follow(before: TrustRoot | None, signed: bytes) -> TrustRoot:
    """A root after another one, or alone.

    Raises:
        DamagedError, NotTrustedError, SequenceError: its signatures do not hold.
    """
    return verify_next(before, signed) if before else verify_first(signed)


def _links(store: StoreDirectory) -> None:
    for broken in broken_links(store):
        raise DamagedError(f"{broken.file}: {broken.fault}")


def _draft(store: StoreDirectory) -> None:
    file = store.layout.root_draft
    if file.is_file():
        with storage_errors(file):
            parse_root(file.read_bytes())


def _signers(store: StoreDirectory) -> None:
    path = store.layout.history / SIGNERS_FILE
    if not path.is_file() or path.read_bytes() not in _signer_lists(store.trust()):
        raise DamagedError(f"{path} does not name the keys of the trust root: git cannot show signatures")


def _signer_lists(chain: RootChain) -> set[bytes]:
    """What may have been written: a walk over roots may have ended early, and earlier ones come later."""
    roots = chain.roots
    ranges = [(first, last) for last in range(len(roots)) for first in range(last + 1)]
    return {allowed_signers(roots[last], roots[first:last]).encode() for first, last in ranges}


def _main(store: StoreDirectory) -> None:
    """A run that was killed at the very first release leaves one tag without main."""
    history = store.history
    if store.side == PUBLISHER and history.tip is None and len(history.refs.tags()) > 1:
        raise DamagedError(f"{history.path} has releases, but its main branch is missing")


def _state(store: StoreDirectory) -> None:
    TrustState.load(store.state_file)


def _trusted_commit(store: StoreDirectory) -> None:
    state, history = TrustState.load(store.state_file), store.history
    if state.commit and not history.on_main(state.commit):
        raise DamagedError(
            f"{history.path} lacks the release last trusted here, sequence {state.sequence}, "
            f"commit {state.commit[:12]}"
        )
