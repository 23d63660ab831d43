"""Which blobs of a base are looked into: a release may have a thousand that stay for one that is new."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_

from airstore.core.image.digest import Digest
from airstore.core.limits import KIB
from airstore.media.delta.making.difference import Difference, difference
from airstore.media.delta.making.pairing import nameless
from airstore.store.blobs import ObjectReader, Outline

_MUCH = 64 * KIB  # bytes of new files


def narrowed(
    reader: ObjectReader,
    outlined: Callable[[Digest], Outline],
    new: Sequence[Outline],
    base: Mapping[Digest, int],
    kept: Collection[Digest],
    older: Collection[Digest],
    places: Mapping[Digest, str],
) -> list[Digest]:
    """Those blobs of a base that new ones may rest on, in their order.

    A new layer, chart or manifest follows one that is gone since the release before. Blobs that the release
    keeps come into it where they have an object that is new elsewhere; those that only releases before that
    one have, where much is new. All come into it where much is new that none of those that are gone has the
    name of, at one kind of sites: it may have moved, or be another version of what is kept.

    Args:
        reader: of the store that has all of it.
        outlined: the outline of a blob of it, with names.
        new: what has to be made.
        base: what sites hold, and which kinds of them hold it, as bits.
        kept: what of it the release has as it is.
        older: what of it only releases before the last one have.
        places: of a blob; blobs of the same place in two releases are like each other.

    Raises:
        NotFoundError, DamagedError: the store lacks a blob, or cannot read it.
    """
    gone = [outlined(each) for each in base if each not in kept and each not in older]
    everyone = reduce(or_, base.values(), 0)
    found = difference(new, gone, places, [base[each.blob] for each in gone], everyone)
    if any(size >= _MUCH for size in _nameless(found)):
        return list(base)
    much = sum(target.held.file.size for target in found.targets) >= _MUCH
    wanted = {key.digest for target in found.targets for key in target.held.piece.keys}

    def serves(blob: Digest) -> bool:
        return reader.mentions(blob, wanted) if blob in kept else much or blob not in older

    return list(filter(serves, base))


def _nameless(found: Difference) -> Iterator[int]:
    """For each kind of sites the bytes of what it lacks that nothing it holds has the name of."""
    for kind in (1 << number for number in range(found.everyone.bit_length())):
        files = [target.held.file for target in found.targets if target.lacking & kind]
        olds = [old.file for number, old in enumerate(found.olds) if found.kinds[number] & kind]
        yield sum(files[number].size for number in nameless(files, olds))
