"""Releases of a remote's git server: in quarantine, verified as media are, then made visible."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from airstore.core.errors import SequenceError
from airstore.core.frozen import frozen
from airstore.history.exchange.quarantine import Quarantine, rewound
from airstore.history.exchange.remote import RemoteGit, fetch_bundle, seen
from airstore.history.repository import History
from airstore.ops.share.remotes import Remote
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.verify import VerifiedRelease, verify_release
from airstore.trust.policy import check_chain, check_floor
from airstore.trust.root.chain import RootChain
from airstore.trust.state import TrustState


@frozen
class Arrival:
    """Releases in quarantine, every one verified.

    Attributes:
        base: the commit that they continue; None for a whole history.
        chain: oldest first.
        gone: versions that have to leave the history for them.
    """

    bundle: Path
    base: str | None
    quarantine: Quarantine
    chain: tuple[VerifiedRelease, ...]
    gone: tuple[str, ...] = ()

    def commit(self, store: StoreDirectory) -> None:
        """Make them visible, durably.

        Raises:
            StorageError: the disk is full or failed; a later pull goes on.
        """
        if not self.gone:
            self.quarantine.commit()
            return
        # They were verified as what continues an earlier release; now the history ends there.
        store.history.disown(self.base)
        with Quarantine(store.history, self.bundle, disk=store.disk) as again:
            again.commit()


class Arriving:
    """Brings a remote's releases into quarantine.

    Args:
        store: of a publisher; not changed.
        remote: where they come from.
        git: reaches it.
        trust: who may sign.
    """

    def __init__(self, store: StoreDirectory, remote: Remote, git: RemoteGit, trust: RootChain) -> None:
        self._store, self._remote, self._git, self._trust = store, remote, git, trust
        self._history = store.history

    def bring(self, scratch: Path, stack: ExitStack, *, set_aside: bool) -> Arrival:
        """Fetch and verify.

        Args:
            scratch: a directory for what is needed until the stack is closed.
            stack: holds the quarantine.
            set_aside: releases of this store may leave the history for those of the remote.

        Raises:
            NotTrustedError: a signature is missing or not by the trust root's keys.
            SequenceError: another product's, rewritten, or parted from this store's.
            DamagedError, TransferError, StorageError: as `fetch_bundle`.
        """
        bundle, live = scratch / "history.bundle", self._history
        base = fetch_bundle(live, self._git, bundle)
        gone: tuple[str, ...] = ()
        if base != live.tip:
            base, gone = self._parted(base, set_aside=set_aside)
            live = rewound(live, base, scratch / "before.git")
        quarantine = stack.enter_context(Quarantine(live, bundle, disk=self._store.disk))
        return Arrival(bundle, base, quarantine, self._verified(quarantine, base), gone)

    def _parted(self, base: str | None, *, set_aside: bool) -> tuple[str, tuple[str, ...]]:
        """The commit after which this store has parted from the remote, and its versions since."""
        if base is None:
            raise SequenceError(
                f"{self._remote.git} has nothing in common with {self._store.path}; nothing was changed",
                hint="it is another product's, or was created again: clone it into a store of its own",
            )
        ancestry = self._history.ancestry(self._history.tip)
        count = ancestry.index(base)
        known = seen(self._history, self._remote.name)
        if known in ancestry[:count]:
            raise SequenceError(
                f"the history of {self._remote.git} was rewritten: {known[:12]}, seen there "
                "before, is gone; nothing was changed",
                hint="find out who moved its main branch",
            )
        ours = tuple(ref.version for ref in self._history.releases())[-count:]
        if not set_aside:
            raise SequenceError(
                f"{self._remote.git} has other releases after {base[:12]} than this store, which made "
                f"{', '.join(ours)}; nothing was changed",
                hint="if no media of those have left: airstore pull --set-aside takes them out of the "
                "history (git keeps them below refs/disowned); then create them again",
            )
        return base, ours

    def _verified(self, quarantine: Quarantine, since: str | None) -> tuple[VerifiedRelease, ...]:
        trust, history = self._trust, quarantine.history
        chain = tuple(verify_release(history, commit, trust) for commit in quarantine.chain(since))
        links = [(each.release, each.digest) for each in chain]
        check_chain(_state(self._history, trust, since), links, trust.current.product)
        check_floor(chain[-1].release.sequence, trust)
        return chain


def _state(history: History, trust: RootChain, since: str | None) -> TrustState:
    """What this publisher trusts: its own newest release that the remote has, too."""
    if since is None:
        return TrustState(trust.current.version)
    own = verify_release(history, since, trust)
    return TrustState(trust.current.version, own.release.sequence, own.digest, since)
