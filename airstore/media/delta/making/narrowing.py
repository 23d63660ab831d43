"""Which blobs of a base are looked into: a release may have a thousand that stay for one that is new."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from airstore.core.image.digest import Digest
from airstore.core.limits import KIB
from airstore.media.delta.making.difference import difference
from airstore.media.delta.making.pairing import nameless
from airstore.store.blobs import ObjectReader, Outline, outline

_ALL = (
    64 * KIB
)  # bytes of new files without a base by their name from which on all of the base is looked into


def narrowed(
    reader: ObjectReader,
    new: Sequence[Outline],
    base: Sequence[Digest],
    kept: Collection[Digest],
    places: Mapping[Digest, str],
) -> list[Digest]:
    """Those blobs of a base that new ones may rest on, in their order.

    A new layer, chart or manifest follows one that is gone. Blobs that the release keeps come into it where
    they have an object that is new elsewhere; or, all of them, where much is new that none of those that
    are gone has the name of: it may have moved, or be another version of what is kept.

    Args:
        reader: of the store that has all of it.
        new: what has to be made.
        base: what sites hold.
        kept: what of it the release has as it is.
        places: of a blob; blobs of the same place in two releases are like each other.

    Raises:
        NotFoundError, DamagedError: the store lacks a blob, or cannot read it.
    """
    gone = [outline(reader, digest, named=True) for digest in base if digest not in kept]
    found = difference(new, gone, places, [1] * len(gone))
    files = [target.held.file for target in found.targets]
    if sum(files[n].size for n in nameless(files, [old.file for old in found.olds])) >= _ALL:
        return list(base)
    wanted = {key.digest for target in found.targets for key in target.held.piece.keys}
    return [digest for digest in base if digest not in kept or reader.mentions(digest, wanted)]
