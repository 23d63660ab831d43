"""``airstore media import`` of what a carrier holds: sorted, and what fits is imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airstore.core.errors import (
    AirstoreError,
    DamagedError,
    IncompleteError,
    NotTrustedError,
    SequenceError,
)
from airstore.core.progress import Progress
from airstore.media.found import find_media
from airstore.media.index import MediaIndex
from airstore.media.reader import Media
from airstore.ops.media.arrivals import VolumesMissingError
from airstore.ops.media.importer import import_media
from airstore.ops.media.walk import walk_roots
from airstore.ops.stores.directory import StoreDirectory
from airstore.trust.state import TrustState


@dataclass
class Result:
    """What became of one media.

    Attributes:
        index: as it claims to be until it was imported.
        state: ``imported``, ``verified``, ``held already``, ``older``, ``does not fit``,
            ``volumes missing`` or ``failed``.
        fault: of those that were not imported; None for older ones.
    """

    media: Media
    index: MediaIndex
    state: str = ""
    new_releases: tuple[str, ...] = ()
    fault: AirstoreError | None = None

    @property
    def source(self) -> str:
        """Its directories, for people."""
        return ", ".join(map(str, self.media.directories))

    def row(self) -> dict[str, Any]:
        """For listings."""
        return {
            "media": self.source,
            "release": self.index.release.version,
            "kind": self.index.kind,
            "from": self.index.starts_from,
            "new_releases": list(self.new_releases),
            "media_bytes": self.index.size,
            "state": self.state,
        }


def import_all(
    store: StoreDirectory,
    named: Sequence[Path],
    now: datetime,
    progress: Progress,
    say: Callable[[str], None],
    *,
    dry_run: bool = False,
) -> list[Result]:
    """Import every media that fits, the oldest release first; one that fails does not keep the others out.

    Args:
        store: a site's.
        named: media, or directories with media below them.
        now: see `import_media`.
        progress: see `import_media`.
        say: told what is next where there are several.
        dry_run: verify everything, change nothing.

    Raises:
        NotFoundError: a directory holds no media.
        DamagedError, NotTrustedError: an index cannot be read.
    """
    found = find_media(named)
    if not dry_run:
        _walk_roots(store, found, say)
    results = [Result(media, _claimed(store, media, now, progress)) for media in found]
    results.sort(key=lambda result: (result.index.release.sequence, result.index.base is not None))
    waiting = results
    while waiting:
        for result in waiting:
            if len(results) > 1:
                say(f"importing {result.source}")
            # Older media beside newer ones are what somebody left on the carrier.
            _import(store, result, now, progress, dry_run=dry_run, back=len(results) == 1)
        # A delta may fit once another has brought what it builds on.
        arrived = any(result.state == "imported" for result in waiting)
        waiting = [result for result in waiting if result.state == "does not fit"] if arrived else []
    return results


def _walk_roots(store: StoreDirectory, found: Sequence[Media], say: Callable[[str], None]) -> None:
    """Before anything else, of all media: a key that one of them revokes is good for none of them."""
    before = store.trust_root().version
    for media in found:
        with suppress(
            NotTrustedError, SequenceError, DamagedError, IncompleteError
        ):  # said when it is imported
            chain, gone = walk_roots(store, media)
            if chain.current.version > before:
                before = chain.current.version
                say(f"trust root {before} is in force")
            if gone:
                say(
                    f"warning: trust root {before} disowns what was imported as {', '.join(gone)}: it was "
                    "signed with a key that is revoked, and is taken out of the history"
                )


def _claimed(store: StoreDirectory, media: Media, now: datetime, progress: Progress) -> MediaIndex:
    try:
        return media.claimed_index()
    except DamagedError:
        import_media(store, media, now, progress, dry_run=True)  # who signed it is the first thing to say
        raise


def first_fault(results: Sequence[Result]) -> AirstoreError | None:
    """What the command ends with: a failure, or that nothing at all fitted."""
    failed = [result.fault for result in results if result.state in {"failed", "volumes missing"}]
    settled = any(result.state in {"imported", "verified", "held already"} for result in results)
    unfit = [result.fault for result in results if result.fault and not settled]
    return next(iter([*failed, *unfit]), None)


def _import(
    store: StoreDirectory, result: Result, now: datetime, progress: Progress, *, dry_run: bool, back: bool
) -> None:
    held = TrustState.load(store.state_file).sequence
    try:
        done = import_media(store, result.media, now, progress, dry_run=dry_run, back=back)
    except AirstoreError as fault:
        result.fault = fault
        base = result.index.base
        unfit = isinstance(fault, IncompleteError) and base is not None and base.sequence > held
        older = result.index.release.sequence < held
        absent = isinstance(fault, VolumesMissingError)
        result.state = (
            "older" if older else "volumes missing" if absent else "does not fit" if unfit else "failed"
        )
        return
    result.index, result.fault, result.new_releases = done.index, None, done.chain
    result.state = "held already" if done.already else "verified" if dry_run else "imported"
