"""What has to be carried so that sites hold a release, by what each of them holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airstore.core.errors import IncompleteError, SequenceError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.core.model.release_id import ReleaseId
from airstore.media.delta.writer import Task
from airstore.ops.media.bases import Base, held_by_all
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import refuse_collected, verified
from airstore.ops.stores.verify import VerifiedRelease
from airstore.store.blobs import BlobStore, Selection, select


@frozen
class MediaPlan:
    """What media would carry.

    Attributes:
        bases: what it starts from, the oldest release first; none for full media.
        new: blobs that travel, those of a full media included.
        shared: blobs of the release that all bases hold already.
        selection: objects that one of the bases lacks.
        task: what a delta would be about; full media carry one that rests on nothing.
    """

    product: str
    release: ReleaseId
    bases: tuple[Base, ...]
    new: frozenset[Digest]
    shared: frozenset[Digest]
    selection: Selection
    task: Task

    @property
    def sites(self) -> tuple[str, ...]:
        """The only sites that may take them in; none for any."""
        named = [base.site for base in self.bases]
        return tuple(sorted(set(named))) if all(named) else ()

    @property
    def releases(self) -> tuple[ReleaseId, ...]:
        """The releases that it starts from, the oldest first."""
        return tuple(dict.fromkeys(base.release for base in self.bases))

    @property
    def starts_from(self) -> str | None:
        """Their versions; None for full media."""
        return ", ".join(release.version for release in self.releases) or None


def plan_media(store: StoreDirectory, blobs: BlobStore, to: str, *bases: Base) -> MediaPlan:
    """Decide what travels for release ``to``.

    Args:
        store: the publisher's.
        blobs: its blobs.
        to: the release's version.
        bases: what sites hold; the media serve each of them. None for full media.

    Raises:
        NotFoundError: no such release.
        NotTrustedError: the release in our own history is not properly signed.
        IncompleteError: this store lacks blobs of the release.
        SequenceError: a base is not older than the release.
    """
    release = verified(store, to)
    for base in bases:
        _check_forward(base, release)
    wanted = frozenset(release.release.blobs())
    lacking = [digest for digest in wanted if blobs.size(digest) is None]
    if lacking:
        refuse_collected(store, release)
        raise IncompleteError(
            f"this store lacks {len(lacking)} blobs of release {to}, such as {lacking[0]}",
            hint="run `airstore check`, and create the release again from its sources",
        )
    ordered = tuple(sorted(bases, key=lambda base: (base.release.sequence, base.site)))
    kinds = _kinds(blobs, ordered)
    held = wanted & held_by_all(bases)
    common = frozenset.intersection(*kinds) if kinds else frozenset()
    return MediaPlan(
        product=release.release.product,
        release=release.identity,
        bases=ordered,
        new=wanted - held,
        shared=held,
        selection=select(blobs, wanted - held, common),
        task=_task(store, release.release, held, ordered, kinds),
    )


@frozen
class Lack:
    """What one base lacks of a release, which is about what its sites read of media for several.

    Attributes:
        blobs: how many.
        plain_bytes: of the objects that it lacks; on media they take less.
    """

    base: Base
    blobs: int
    plain_bytes: int


def lacks(store: StoreDirectory, blobs: BlobStore, plan: MediaPlan) -> list[Lack]:
    """What each base of a plan lacks."""
    wanted = frozenset(verified(store, plan.release.version).release.blobs())
    sizes: dict[frozenset[Digest], int] = {}
    for base in plan.bases:
        if base.blobs not in sizes:
            (known,) = _kinds(blobs, (base,))
            sizes[base.blobs] = select(blobs, wanted - base.blobs, known).plain_bytes
    return [Lack(base, len(wanted - base.blobs), sizes[base.blobs]) for base in plan.bases]


def _check_forward(base: Base, to: VerifiedRelease) -> None:
    if base.release.sequence >= to.release.sequence:
        raise SequenceError(
            f"there is nothing to bring: a delta leads forward, and {base.release.version} is not older "
            f"than {to.release.version}",
            hint="to fix a damaged site, make full media: without --from and --receipt",
        )


def _kinds(blobs: BlobStore, bases: Iterable[Base]) -> list[frozenset[Digest]]:
    """What of the bases this store has, each once, in their order."""
    sizes = {digest: blobs.size(digest) for base in bases for digest in base.blobs}
    return list(
        dict.fromkeys(
            frozenset(digest for digest in base.blobs if sizes[digest] is not None) for base in bases
        )
    )


def _task(
    store: StoreDirectory,
    release: Release,
    shared: frozenset[Digest],
    bases: Iterable[Base],
    kinds: Sequence[frozenset[Digest]],
) -> Task:
    places: dict[Digest, str] = {}
    last = set[Digest]()
    for version in dict.fromkeys(base.release.version for base in bases):
        before = verified(store, version).release
        places |= _places(before)
        last |= before.blobs().keys()
    held = sorted(frozenset().union(*kinds))
    new = sorted(frozenset(release.blobs()) - shared)
    return Task(
        new,
        held,
        {**places, **_places(release)},
        kinds if len(kinds) > 1 else (),
        shared,
        frozenset(held) - last - shared,
    )


def _places(release: Release) -> dict[Digest, str]:
    """What a blob is for: those of the same place in two releases are like each other."""
    return {
        blob.digest: f"{artifact.repository} {blob.media_type}"
        for artifact in release.artifacts
        for blob in artifact.blobs
    }
