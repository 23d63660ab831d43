"""Packs of a remote's registry, brought to a store that pulls: their outlines, or all of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from functools import partial

from airstore.core.errors import IncompleteError
from airstore.core.model.release import Release
from airstore.core.progress import Advance, Progress
from airstore.ops.share.packs import Listing, RemotePacks
from airstore.registry.parallel import run_all
from airstore.store.blobs import BlobStore, PackFile, Staging, bring_outline, bring_whole, forget_outlines

_JOBS = 4  # packs at once


class Bringing:
    """What one pull brings of packs.

    Args:
        blobs: the store's.
        packs: the remote's.
        progress: shows what is fetched.

    Attributes:
        bytes: that came so far.
    """

    def __init__(self, blobs: BlobStore, packs: RemotePacks, progress: Progress) -> None:
        self._blobs, self._packs, self._progress = blobs, packs, progress
        self.bytes = 0

    def bring(self, listings: Iterable[Listing], releases: Iterable[Release], *, whole: bool) -> int:
        """Indexes and recipes of packs that are new here, or all of every pack; how many are new.

        Args:
            listings: what there is.
            releases: whose blobs must all be among it.
            whole: bring the packs themselves.

        Raises:
            IncompleteError: the registry lacks packs or blobs.
            DamagedError: a pack is not what its name says.
            TransferError: the registry refused or broke off.
            StorageError: the disk is full or failed; what is visible is as it was.
        """
        blobs = self._blobs
        listed = list({pack.digest: pack for listing in listings for pack in listing.packs}.values())
        known = {name for _, name, _ in blobs.index.packs()}
        new = [pack for pack in listed if pack.digest.raw not in known]
        held_in_part = [pack for pack in listed if pack.digest.raw in blobs.partial]
        with blobs.adding(), self._progress.task("fetching packs", None) as advance:
            count = self._counting(advance)
            if whole:
                run_all(partial(self._whole, count), [*new, *held_in_part], _JOBS)
            else:
                run_all(partial(self._outline, count), new, _JOBS)
            blobs.enter(pack.digest.raw for pack in new)
            for release in releases:
                self._require(release)
            forget_outlines(blobs, blobs.partial.names - {pack.digest.raw for pack in listed})
        return len(new)

    def _outline(self, count: Advance, pack: PackFile) -> None:
        bring_outline(self._blobs, pack, self._packs, count)

    def _whole(self, count: Advance, pack: PackFile) -> None:
        with closing(self._packs.download(pack)) as chunks:  # the connection, too, where the disk is full
            bring_whole(self._blobs, pack, chunks, count)

    def _counting(self, advance: Advance) -> Advance:
        def count(size: int) -> None:
            self.bytes += size
            advance(size)

        return count

    def _require(self, release: Release) -> None:
        """Every blob of a release has its recipe, and every object of it lies in some pack."""
        with Staging(self._blobs, [], rehearse=True) as everything:
            missing = everything.missing(release.blobs())
        if missing:
            raise IncompleteError(
                f"the packs of {self._packs.repository.name} lack {len(missing)} blobs of release "
                f"{release.version}, such as {missing[0]}",
                hint="run `airstore push` at the store that made it",
            )
