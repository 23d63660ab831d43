"""``airstore pull``: verify what a remote has exactly as an import from media does, then make it visible.

Order: trust roots, history in quarantine, every signature, the chain; indexes and recipes of packs; only then
the packs and the commits become visible, packs first. Killed anywhere, the next call goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airstore.core.durable import storage_errors
from airstore.core.errors import IncompleteError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.progress import Progress
from airstore.history.exchange.remote import RemoteGit, remember_seen
from airstore.history.git.names import MAIN
from airstore.ops.share.access import Access
from airstore.ops.share.arrival import Arrival, Arriving
from airstore.ops.share.branches.incoming import Incoming, Receiving
from airstore.ops.share.branches.moves import PATTERNS, pending_commits
from airstore.ops.share.bringing import Bringing
from airstore.ops.share.packs import Listing, RemotePacks
from airstore.ops.share.remotes import Remote
from airstore.ops.share.rewind import check_rewind
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.stores.releases.collected import forget_whole, mark_dropped
from airstore.ops.stores.releases.lost import require_refs
from airstore.ops.stores.releases.pending import Before
from airstore.ops.stores.releases.roots import adopt
from airstore.ops.stores.releases.summaries import remember
from airstore.ops.stores.releases.trusted import verified
from airstore.ops.stores.verify import VerifiedRelease
from airstore.store.blobs import BlobStore
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import TrustRoot

_SCRATCH = "pull-"


@frozen
class PullScope:
    """What a pull brings besides the history, indexes and recipes.

    Attributes:
        whole: every pack as a whole.
        set_aside: releases of this store that are not at the remote, where others stand, leave the history.
    """

    whole: bool = False
    set_aside: bool = False


@frozen
class Pulled:
    """What a pull did.

    Attributes:
        release: the newest release here now; None where all are pending.
        releases: versions that came, oldest first.
        set_aside: versions that left the history; they stay below ``refs/disowned``.
        packs: packs that became known.
        bytes: of packs that were read.
        only_remote: packs that are here only in part.
        pending: versions of pending releases that came, or were signed by others.
        sites: names of sites whose keys came or went.
        notes: what at the remote does not count, and why.
        dropped: versions of releases whose content others have dropped, and that is not here any more.
    """

    remote: str
    release: str | None
    releases: tuple[str, ...]
    set_aside: tuple[str, ...]
    packs: int
    bytes: int
    only_remote: int
    pending: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """For listings."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()
        }


def pull_store(
    store: StoreDirectory, remote: Remote, access: Access, progress: Progress, wanted: PullScope
) -> Pulled:
    """Take in what a remote has.

    Args:
        store: a publisher's.
        remote: where from.
        access: how it is reached.
        progress: shows what is fetched.
        wanted: what besides.

    Raises:
        NotFoundError: there is no such repository, or no release in it.
        NotTrustedError: a signature is missing or not by the trust root's keys, or that root has expired.
        SequenceError: another product, a rewound or forked history.
        DamagedError: history or packs are not what they should be.
        IncompleteError: the registry lacks packs.
        TransferError: git server or registry refused or broke off.
        LockedError: another process holds the lock.
        In each case releases and objects of the store are as they were.
    """
    store.require(PUBLISHER, "pull")
    with ExitStack() as stack:
        stack.enter_context(store.locked())
        require_refs(store)
        packs = RemotePacks(remote, access.registries)
        stack.callback(packs.close)
        blobs = stack.enter_context(store.open_blobs())
        git = RemoteGit(remote.git, access.environment)
        return _Pull(store, blobs, remote, git, packs, progress).run(wanted, access.now)


class _Pull:
    """One pull: its inputs, and the steps in their order."""

    def __init__(
        self,
        store: StoreDirectory,
        blobs: BlobStore,
        remote: Remote,
        git: RemoteGit,
        packs: RemotePacks,
        progress: Progress,
    ) -> None:
        self._store, self._blobs, self._remote = store, blobs, remote
        self._git, self._packs, self._progress = git, packs, progress

    def run(self, wanted: PullScope, now: datetime) -> Pulled:
        refs = self._git.refs(*PATTERNS)
        theirs = self._tip(refs)
        listings = [self._listing(commit) for commit in ([theirs] if theirs else pending_commits(refs))]
        trust = self._roots(listings, now)
        with self._scratch() as scratch, ExitStack() as stack:
            arrival = None
            if theirs and not self._store.history.on_main(theirs):
                arriving = Arriving(self._store, self._remote, self._git, trust)
                arrival = arriving.bring(scratch, stack, set_aside=wanted.set_aside)
            newest = self._newest(arrival)
            receiving = Receiving(self._store, self._remote, self._git, refs, trust.current)
            incoming = receiving.bring(scratch, Before.of(newest), self._released(arrival))
            listings += map(self._listing, incoming.commits.values())
            needed = [*([newest.release] if newest else []), *incoming.releases]
            bringing = Bringing(self._blobs, self._packs, self._progress)
            new = bringing.bring(listings, needed, whole=wanted.whole)
            self._commit(arrival, incoming, trust.current)
            dropped = self._dropped(listings)
        if theirs:
            remember_seen(self._store.history, self._remote.name, theirs)
        return Pulled(
            self._remote.name,
            newest.release.version if newest else None,
            _versions(arrival),
            arrival.gone if arrival else (),
            new,
            bringing.bytes,
            len(self._blobs.partial.names),
            *incoming.summary(),
            tuple(dropped),
        )

    def _newest(self, arrival: Arrival | None) -> VerifiedRelease | None:
        """The newest release, come now or there already; None where the first one is pending."""
        if arrival:
            return arrival.chain[-1]
        return verified(self._store) if self._store.history.tip else None

    def _released(self, arrival: Arrival | None) -> set[str]:
        return {ref.version for ref in self._store.history.releases()} | set(_versions(arrival))

    def _commit(self, arrival: Arrival | None, incoming: Incoming, root: TrustRoot) -> None:
        if arrival:
            arrival.commit(self._store)
            remember(self._store, root, arrival.chain)
        incoming.commit(self._store, self._remote)

    def _tip(self, refs: Mapping[str, str]) -> str | None:
        theirs = refs.get(MAIN)
        check_rewind(self._store, self._remote, theirs)
        if theirs is None and not pending_commits(refs):
            raise NotFoundError(
                f"{self._remote.git} holds no release yet",
                hint="push to it first, from the store that has some",
            )
        return theirs

    def _listing(self, theirs: str) -> Listing:
        listing = self._packs.listing(theirs)
        if listing is None:
            raise IncompleteError(
                f"{self._packs.repository.name} knows nothing of commit {theirs[:12]}, which is the newest "
                f"at {self._remote.git}",
                hint="do both belong to one store? If so, run `airstore push` at a store that has it whole",
            )
        return listing

    def _roots(self, listings: Iterable[Listing], now: datetime) -> RootChain:
        """Put trust roots of the remote into force before anything else is looked at."""
        chain = self._store.trust()
        for listing in listings:
            offered = self._packs.read_roots(listing)
            chain = chain.walked(offered)
            adopt(self._store, chain, offered)
        chain.current.check_expiry(now)
        return chain

    def _dropped(self, listings: Iterable[Listing]) -> list[str]:
        """Note what others have dropped, where it is not here; and what came back is dropped no more."""
        forget_whole(self._store, self._blobs)
        found = [
            mark_dropped(self._store, self._blobs, self._packs.read_collected(listing))
            for listing in listings
        ]
        return [version for versions in found for version in versions]

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A directory for this pull; what killed ones left is removed."""
        where = self._blobs.layout.temporary
        with storage_errors(where):
            for left in where.glob(f"{_SCRATCH}*"):
                shutil.rmtree(left)
            made = TemporaryDirectory(prefix=_SCRATCH, dir=where)
        with made as directory:
            yield Path(directory)


def _versions(arrival: Arrival | None) -> tuple[str, ...]:
    return tuple(each.release.version for each in arrival.chain) if arrival else ()
