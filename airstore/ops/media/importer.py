"""``airstore media import``: verify everything, then make it visible in one step.

Order: trust roots, which stay whatever becomes of the rest; signed index, addressee, files copied while they
are hashed, history in quarantine, the chain of releases, every blob rebuilt. Only then packs, git objects,
refs and last the trust state. What was copied stays in ``tmp/`` when the run is interrupted, so that the next
one resumes; what is found wrong does not.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import (
    DamagedError,
    IncompleteError,
    NotTrustedError,
    SequenceError,
)
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.core.progress import Progress
from airstore.history.exchange.quarantine import Quarantine
from airstore.media.index import BUNDLE_NAME, MediaIndex
from airstore.media.reader import Media
from airstore.ops.media.arrivals import Arrivals
from airstore.ops.media.content import MediaContent
from airstore.ops.media.held import pack_whole, reads_back, require_history
from airstore.ops.media.offer import check_index
from airstore.ops.media.walk import rehearse_roots, walk_roots
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.collected import collected, forget_whole
from airstore.ops.stores.releases.roots import retreat_to_pin
from airstore.ops.stores.releases.summaries import remember
from airstore.ops.stores.site.anchors import advance, required_anchor
from airstore.ops.stores.upstream import verify_upstream
from airstore.ops.stores.verify import VerifiedRelease, verify_release
from airstore.store.blobs import BlobStore, Staging
from airstore.trust.policy import (
    NewlyTrusted,
    check_addressee,
    check_chain,
)
from airstore.trust.root.chain import RootChain
from airstore.trust.state import TrustState


@frozen
class Imported:
    """What an import did, or with a dry run would do.

    Attributes:
        already: the release was trusted before and nothing was missing.
        chain: versions that became known, oldest first.
    """

    index: MediaIndex
    release: Release
    chain: tuple[str, ...]
    already: bool


def import_media(
    store: StoreDirectory,
    media: Media,
    now: datetime,
    progress: Progress,
    *,
    dry_run: bool = False,
    back: bool = False,
) -> Imported:
    """Take media in, or only verify that they could be.

    Args:
        store: a site's.
        media: of one directory, or the volumes that are at hand.
        now: fixed once per command, with a time zone; an expired trust root is refused.
        progress: shows copying and rebuilding.
        dry_run: verify everything, change nothing.
        back: media of an older release bring back what `airstore gc` has dropped of it; else they are stale.

    Raises:
        NotTrustedError: a signature is missing or not by the trust root's release keys.
        SequenceError: stale, forked, another product's or another site's.
        DamagedError: content is wrong.
        IncompleteError: files are missing, or a delta's base is.
        VolumesMissingError: some volumes are; what is at hand was copied, the next import resumes.
        StorageError: the disk is full.
        In each case nothing of the media is visible in the store.
    """
    if store.anchor:
        required_anchor(store)  # one that is gone is not written again by an import
    trust = rehearse_roots(store, media) if dry_run else walk_roots(store, media)[0]
    trust.current.check_expiry(now)
    index = media.trusted_index(trust.current.media_role)
    check_addressee(store.name, index.addressees)
    with store.locked(), store.open_blobs() as blobs:
        importer = _Import(store, blobs, media, index, trust, progress, back=back)
        importer.check_offer()
        done = importer.run(dry_run=dry_run)
        if not dry_run:
            advance(store, int(now.timestamp()))
        return done


class _Import:
    """One import: its inputs, and the steps in their order."""

    def __init__(
        self,
        store: StoreDirectory,
        blobs: BlobStore,
        media: Media,
        index: MediaIndex,
        trust: RootChain,
        progress: Progress,
        *,
        back: bool,
    ) -> None:
        self._back = back
        self._store, self._blobs, self._media, self._index = store, blobs, media, index
        self._trust, self._progress = trust, progress
        self._state = TrustState.load(store.state_file)
        # Named by content, so that the next run of the same import finds what this one copied.
        copies = store.layout.arrivals(Digest.of(media.envelope).hex[:16])
        self._arrivals = Arrivals(copies, media, index, store.disk)
        self._content = MediaContent(blobs, index, self._arrivals, progress)

    def check_offer(self) -> None:
        """Refuse what could never be imported before gigabytes are copied."""
        if not self._returns:
            check_index(self._store, self._index, self._trust)
        self._media.check_listed(self._index, self._index.contents)

    @cached_property
    def _returns(self) -> bool:
        """Whether these media bring content back that `airstore gc` has dropped, of a release of ours."""
        offer, history = self._index.release, self._store.history
        older = (
            self._back and offer.sequence < self._state.sequence and offer.digest in collected(self._store)
        )
        return older and offer.commit in history.ancestry(history.tip)

    def run(self, *, dry_run: bool) -> Imported:
        if self._returns:
            return self._bring_back(dry_run=dry_run)
        if self._is_current():
            return Imported(self._index, self._store.history.release(self._index.release.commit), (), True)
        self._require_room()
        try:
            self._arrivals.copy(self._progress)
            bundle = self._arrivals.path(BUNDLE_NAME)
            with self._quarantine(bundle, dry_run=dry_run) as quarantine:
                tip, chain = self._take_in(quarantine, dry_run=dry_run)
        except (DamagedError, IncompleteError, NotTrustedError, SequenceError):
            self._arrivals.discard()
            raise
        self._tidy()
        if not dry_run:
            remember(self._store, self._trust.current, chain)
            forget_whole(self._store, self._blobs)
        return Imported(self._index, tip.release, tuple(link.release.version for link in chain), False)

    def _bring_back(self, *, dry_run: bool) -> Imported:
        """Blobs alone come; history and the trusted sequence stay where they are."""
        link = verify_release(self._store.history, self._index.release.commit, self._trust)
        if link.identity != self._index.release:
            raise DamagedError("the signed index says something else of the release than its commit does")
        self._require_room()
        try:
            self._arrivals.copy(self._progress)
            with self._content.staging(dry_run=dry_run) as staging:
                self._content.require(staging, link.release)
                if not dry_run:
                    staging.commit()
        except (DamagedError, IncompleteError):
            self._arrivals.discard()
            raise
        self._tidy()
        if not dry_run:
            forget_whole(self._store, self._blobs)
        return Imported(self._index, link.release, (), False)

    def _quarantine(self, bundle: Path, *, dry_run: bool) -> Quarantine:
        """The bundle, checked; where a trust root names a later release, its history replaces a fork here."""
        store = self._store
        try:
            return Quarantine(store.history, bundle, disk=store.disk)
        except SequenceError:
            if dry_run or self._state.sequence >= self._trust.floor:
                raise
            retreat_to_pin(store, self._trust)
            self._state = TrustState.load(store.state_file)
            return Quarantine(store.history, bundle, disk=store.disk)

    def _tidy(self) -> None:
        """Drop the copies, those of other imports that were interrupted and never went on, too."""
        for copies in self._store.layout.all_arrivals():
            shutil.rmtree(copies, ignore_errors=True)

    def _is_current(self) -> bool:
        """Whether there is nothing to do; damage is something to do, these media can fix it."""
        history, commit = self._store.history, self._index.release.commit
        if self._state.release != self._index.release.digest:
            return False
        require_history(self._store, self._media, self._index)
        if not history.on_main(commit):
            return False
        blobs = history.release(commit).blobs()
        with self._progress.task("reading what is held", sum(b.size for b in blobs.values())) as advance:
            damaged = {digest for digest in blobs if not reads_back(self._blobs, digest, advance)}
        self._content.damaged = damaged
        return not damaged and all(pack_whole(self._blobs, self._index, path) for path in self._index.packs)

    def _require_room(self) -> None:
        self._content.require_space(self._arrivals.needed_bytes())

    def _take_in(
        self, quarantine: Quarantine, *, dry_run: bool
    ) -> tuple[VerifiedRelease, list[VerifiedRelease]]:
        """Verify everything and make it visible; the newest release, and those that became known."""
        chain, trusted = self._verified_chain(quarantine)
        tip = chain[-1] if chain else self._verify(quarantine, self._index.release.commit)
        if tip.identity != self._index.release:
            raise DamagedError("the history on the media ends at another release than the signed index says")
        with self._content.staging(dry_run=dry_run) as staging:
            self._content.require(staging, tip.release)
            verify_upstream(tip.release, quarantine.history.files(tip.commit), staging.read_bytes)
            if not dry_run:
                self._commit(staging, quarantine, trusted, tip.commit)
        return tip, chain

    def _verify(self, quarantine: Quarantine, commit: str) -> VerifiedRelease:
        return verify_release(quarantine.history, commit, self._trust)

    def _verified_chain(self, quarantine: Quarantine) -> tuple[list[VerifiedRelease], NewlyTrusted]:
        """The releases that the media bring, and what becomes trusted with them."""
        commits = quarantine.chain(self._state.commit)
        chain = [self._verify(quarantine, commit) for commit in commits]
        links = [(link.release, link.digest) for link in chain]
        return chain, check_chain(self._state, links, self._trust.current.product)

    def _commit(self, staging: Staging, quarantine: Quarantine, trusted: NewlyTrusted, commit: str) -> None:
        """Blobs, then history, then trust: each step alone leaves a store that is whole."""
        staging.commit()
        quarantine.commit()
        state = replace(self._state, sequence=trusted.sequence, release=trusted.release, commit=commit)
        with storage_errors(self._store.state_file):
            state.save(self._store.state_file, disk=self._store.disk)
