"""``airstore media import``: verify everything, then make it visible in one step.

Order: trust roots, which stay whatever becomes of the rest; signed index, addressee, files copied while they
are hashed, history in quarantine, the chain of releases, every blob rebuilt. Only then packs, git objects,
refs and last the trust state. What was copied stays in ``tmp/`` when the run is interrupted, so that the next
one resumes; what is found wrong does not.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import (
    DamagedError,
    IncompleteError,
    NotTrustedError,
    SequenceError,
    StorageError,
)
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.core.progress import Progress
from airstore.history.quarantine import Quarantine
from airstore.media.delta.reader import Delta
from airstore.media.index import BUNDLE_NAME, MediaIndex
from airstore.media.reader import Media
from airstore.ops.media.arrivals import Arrivals
from airstore.ops.media.held import pack_whole, reads_back, require_history
from airstore.ops.media.offer import check_index
from airstore.ops.media.walk import rehearse_roots, walk_roots
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.roots import retreat_to_pin
from airstore.ops.stores.summaries import remember
from airstore.ops.stores.verify import VerifiedRelease, verify_release
from airstore.store.blobs import BlobStore, Staging, openable
from airstore.trust.policy import (
    NewlyTrusted,
    check_addressee,
    check_chain,
)
from airstore.trust.root.chain import RootChain
from airstore.trust.state import TrustState


@dataclass(frozen=True)
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
    store: StoreDirectory, media: Media, now: datetime, progress: Progress, *, dry_run: bool = False
) -> Imported:
    """Take media in, or only verify that they could be.

    Args:
        store: a site's.
        media: of one directory, or the volumes that are at hand.
        now: fixed once per command, with a time zone; an expired trust root is refused.
        progress: shows copying and rebuilding.
        dry_run: verify everything, change nothing.

    Raises:
        NotTrustedError: a signature is missing or not by the trust root's release keys.
        SequenceError: stale, forked, another product's or another site's.
        DamagedError: content is wrong.
        IncompleteError: files are missing, or a delta's base is.
        VolumesMissingError: some volumes are; what is at hand was copied, the next import resumes.
        StorageError: the disk is full.
        In each case nothing of the media is visible in the store.
    """
    trust = rehearse_roots(store, media) if dry_run else walk_roots(store, media)[0]
    trust.current.check_expiry(now)
    index = media.trusted_index(trust.current.media_role)
    check_addressee(store.name, index.addressees)
    with store.locked(), store.open_blobs() as blobs:
        importer = _Import(store, blobs, media, index, trust, progress)
        importer.check_offer()
        return importer.run(dry_run=dry_run)


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
    ) -> None:
        self._store, self._blobs, self._media, self._index = store, blobs, media, index
        self._trust, self._progress = trust, progress
        self._state = TrustState.load(store.state_file)
        self._damaged: set[Digest] = set()
        # Named by content, so that the next run of the same import finds what this one copied.
        copies = store.layout.arrivals(Digest.of(media.envelope).hex[:16])
        self._arrivals = Arrivals(copies, media, index, store.disk)

    def check_offer(self) -> None:
        """Refuse what could never be imported before gigabytes are copied."""
        check_index(self._store, self._index, self._trust)
        self._media.check_listed(self._index, self._index.contents)

    def run(self, *, dry_run: bool) -> Imported:
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
        return Imported(self._index, tip.release, tuple(link.release.version for link in chain), False)

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
        if commit not in history.ancestry(history.tip):
            return False
        blobs = history.release(commit).blobs()
        with self._progress.task("reading what is held", sum(b.size for b in blobs.values())) as advance:
            self._damaged = {digest for digest in blobs if not reads_back(self._blobs, digest, advance)}
        return not self._damaged and all(
            pack_whole(self._blobs, self._index, path) for path in self._index.packs
        )

    def _require_room(self) -> None:
        self._require_space(self._arrivals.needed_bytes())

    def _require_space(self, needed: int) -> None:
        free = shutil.disk_usage(self._store.path).free
        if free < needed:
            raise StorageError(
                f"{self._store.path} has {free} bytes free; importing these media needs {needed}",
                hint="free some space and run the same command again",
            )

    def _take_in(
        self, quarantine: Quarantine, *, dry_run: bool
    ) -> tuple[VerifiedRelease, list[VerifiedRelease]]:
        """Verify everything and make it visible; the newest release, and those that became known."""
        chain, trusted = self._verified_chain(quarantine)
        tip = chain[-1] if chain else self._verify(quarantine, self._index.release.commit)
        if tip.identity != self._index.release:
            raise DamagedError("the history on the media ends at another release than the signed index says")
        packs = [self._arrivals.path(path) for path in self._index.packs]
        with Staging(self._blobs, packs, hashed=True, rehearse=dry_run) as staging:
            self._apply_deltas(staging)
            self._require_blobs(staging, tip.release)
            if not dry_run:
                self._commit(staging, quarantine, trusted, tip.commit)
        return tip, chain

    def _apply_deltas(self, staging: Staging) -> None:
        """Make the blobs that the deltas are about; they are verified with all others."""
        for path in self._index.deltas:
            try:
                self._apply(self._arrivals.path(path), staging)
            except IncompleteError as fault:
                text = f"release {self._index.release.version} cannot be made: {fault}"
                raise IncompleteError(text, hint=self._way_out()) from fault

    def _apply(self, path: Path, staging: Staging) -> None:
        delta = Delta(path, staging.reader, lambda: self._open_held(staging))
        wanted = {*staging.missing(delta.blobs), *self._damaged}
        if wanted.isdisjoint(delta.blobs):
            return  # an earlier run got as far as that
        plain = delta.resolve(wanted).plain_bytes
        self._require_space(2 * plain)
        with (
            self._progress.task("applying a delta", plain) as advance,
            staging.writer() as writer,
        ):
            delta.restore(writer, wanted, self._blobs.layout.temporary, advance)

    def _verify(self, quarantine: Quarantine, commit: str) -> VerifiedRelease:
        return verify_release(quarantine.history, commit, self._trust)

    def _verified_chain(self, quarantine: Quarantine) -> tuple[list[VerifiedRelease], NewlyTrusted]:
        """The releases that the media bring, and what becomes trusted with them."""
        commits = quarantine.chain(self._state.commit)
        chain = [self._verify(quarantine, commit) for commit in commits]
        links = [(link.release, link.digest) for link in chain]
        return chain, check_chain(self._state, links, self._trust.current.product)

    def _require_blobs(self, staging: Staging, release: Release) -> None:
        blobs = release.blobs()
        missing = staging.missing(blobs)
        if missing and self._open_held(staging):
            missing = staging.missing(missing)
        if missing:
            raise self._incomplete(release, missing)
        # What the store had before was verified when it came in and is verified whenever it is read.
        new = [d for d in blobs if d in self._damaged or self._blobs.size(d) is None]
        self._require_space(staging.written_bytes(new))
        total = sum(blobs[digest].size for digest in new)
        with self._progress.task("rebuilding blobs", total) as advance:
            staging.verify(new, advance)
        for digest in new:
            if staging.size(digest) != blobs[digest].size:
                raise DamagedError(f"blob {digest} is not of the size that release {release.version} says")

    def _open_held(self, staging: Staging) -> bool:
        """Open what older media brought whole: a delta may rest on the files in it."""
        held = openable(self._blobs)
        with (
            suppress(DamagedError),  # then it is missing here, which is said next
            self._progress.task("opening layers held whole", sum(blob.size for blob in held)) as advance,
        ):
            return bool(held) and staging.open_held(held, advance)
        return False

    def _incomplete(self, release: Release, missing: list[Digest]) -> IncompleteError:
        users = sorted({user for digest in missing for user in release.users_of(digest)})
        return IncompleteError(
            f"neither these media nor this site hold {len(missing)} blobs of release {release.version}; "
            f"needed by {', '.join(users[:5])}",
            hint=self._way_out(),
        )

    def _way_out(self) -> str:
        base, version = self._index.base, self._index.release.version
        asked = f"import media for release {base.version} first, or ask" if base else "ask"
        return (
            f"{asked} the publisher for `media create --to {version} --receipt FILE`, with what "
            "`airstore receipt` writes here"
        )

    def _commit(self, staging: Staging, quarantine: Quarantine, trusted: NewlyTrusted, commit: str) -> None:
        """Blobs, then history, then trust: each step alone leaves a store that is whole."""
        staging.commit()
        quarantine.commit()
        state = replace(self._state, sequence=trusted.sequence, release=trusted.release, commit=commit)
        with storage_errors(self._store.state_file):
            state.save(self._store.state_file, disk=self._store.disk)
