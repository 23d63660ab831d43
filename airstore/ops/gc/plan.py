"""Which releases stay, and why; which go, and what with them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.ops.gc.pins import Pins
from airstore.ops.stores.releases.summaries import Holding


@frozen
class KeptRelease:
    """One that stays.

    Attributes:
        reasons: in words that follow its version.
        whole: all of its blobs are here.
    """

    version: str
    sequence: int
    reasons: tuple[str, ...]
    whole: bool


@frozen
class DroppedRelease:
    """One whose content goes.

    Attributes:
        blobs: how many go with it that are here.
        size: bytes of those, as a registry counts them.
    """

    version: str
    sequence: int
    blobs: int
    size: int
    digest: Digest = field(repr=False)


@frozen
class Collection:
    """What a garbage collection does.

    Attributes:
        kept: releases, oldest first.
        dropped: releases, oldest first.
        earlier: versions whose content was dropped before, and stays so.
        unused: blobs that no release has, and their bytes; they go, too.
        blobs: digests of all blobs that stay.
        notes: what whoever reads this should know.
    """

    kept: tuple[KeptRelease, ...]
    dropped: tuple[DroppedRelease, ...]
    earlier: tuple[str, ...]
    unused: tuple[int, int]
    blobs: frozenset[Digest] = field(repr=False)
    notes: tuple[str, ...] = ()


def kept_releases(found: Sequence[Holding], keep: int, pins: Pins) -> list[KeptRelease]:
    """Releases that stay, oldest first: the newest that are here as a whole, and what is pinned.

    Args:
        found: every release, oldest first.
        keep: how many of the newest.
        pins: see `Pins`.
    """
    here = [each.summary.link.version for each in found if each.whole or each is found[-1]]
    newest = set(here[-keep:])
    kept = []
    for each in found:
        version = each.summary.link.version
        reasons = (("it is among the newest",) if version in newest else ()) + tuple(
            pins.releases.get(version, ())
        )
        if reasons:
            kept.append(KeptRelease(version, each.summary.sequence, reasons, each.whole))
    return kept


def decide(
    found: Sequence[Holding],
    kept: Sequence[KeptRelease],
    blobs: Mapping[str, frozenset[Digest]],
    held: Mapping[Digest, int],
    pins: Pins,
    *,
    whole: bool,
) -> Collection:
    """What goes and what stays.

    Args:
        found: every release, oldest first.
        kept: of `kept_releases`.
        blobs: of each of those, by version.
        held: size of every blob that is here.
        pins: see `Pins`.
        whole: this side holds every release as a whole, so that one which it does not is dropped.
    """
    staying = pins.blobs.union(*blobs.values())
    known = {digest for each in found for digest in each.summary.added}
    unused = held.keys() - known - staying
    notes = [*pins.notes, *(_STRANGE.format(version) for version in strange(found, pins))]
    versions = {each.version for each in kept}
    dropped = tuple(_dropped(found, versions, staying, held, whole=whole))
    going = {each.version for each in dropped}
    earlier = (
        each.summary.link.version
        for each in found
        if each.collected and each.summary.link.version not in going
    )
    left = (len(unused), sum(held[digest] for digest in unused))
    return Collection(tuple(kept), dropped, tuple(earlier), left, staying, tuple(notes))


_STRANGE = "{} is not in the history any more, as a trust root may have it: nothing is kept for it"


def strange(found: Iterable[Holding], pins: Pins) -> list[str]:
    """Versions that are pinned and that nothing describes any more."""
    return sorted(pins.releases.keys() - {each.summary.link.version for each in found})


def _dropped(
    found: Iterable[Holding],
    kept: set[str],
    staying: frozenset[Digest],
    held: Mapping[Digest, int],
    *,
    whole: bool,
) -> Iterator[DroppedRelease]:
    """Those that lose something; of a release that shares all it has with what stays, nothing goes."""
    going = set[Digest]()
    for each in found:
        going -= each.summary.removed
        going |= {digest for digest in each.summary.added if digest in held and digest not in staying}
        version = each.summary.link.version
        lacking = whole and not each.whole and not each.collected
        if version not in kept and (going or lacking):
            size = sum(held[digest] for digest in going)
            yield DroppedRelease(version, each.summary.sequence, len(going), size, each.summary.digest)
