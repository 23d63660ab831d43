"""Recipes: how to rebuild a blob exactly. Byte tables in docs/formats-store.md.

A recipe is a root object and, where its steps take more than 1 MiB, part objects that hold them. Steps:

    TAKE n              the next n bytes of the current skeleton object
    SKELETON object     make this object the current skeleton; the one before must be used up
    RAW, BODY object    the whole object
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from airstore.core.digest import Digest
from airstore.core.errors import DamagedError
from airstore.core.limits import LIMITS
from airstore.store.format.objects import PIECE, Kind, ObjectKey

CODEC_NONE = 0  # the joined pieces are the blob
_MAGIC = b"RECIPE\x01"
_ROOT = struct.Struct("<7sB32sQB")
_REFERENCE = struct.Struct("<I32s")
_TAKE = struct.Struct("<BI")
_OBJECT = struct.Struct("<BI32s")
_OBJECTS = {int(kind): kind for kind in (Kind.RAW, Kind.SKELETON, Kind.BODY)}
_INLINE, _IN_PARTS = 0, 1

Step = int | ObjectKey  # TAKE of so many bytes, or an object


class Recipe(NamedTuple):
    """A decoded root.

    Attributes:
        blob: what the steps rebuild.
        size: bytes of the blob.
        steps: encoded steps, where they are few.
        parts: objects that hold the encoded steps, where they are many.
    """

    blob: Digest
    size: int
    steps: bytes
    parts: tuple[ObjectKey, ...]


class RecipeBuilder:
    """Collects the steps of one blob in the order of its bytes."""

    def __init__(self) -> None:
        self._steps = bytearray()

    def add(self, steps: Iterable[Step]) -> bytes | None:
        """Append steps; a part to be stored as an object when enough have come together."""
        for step in steps:
            if isinstance(step, int):
                self._steps += _TAKE.pack(0, step)
            else:
                self._steps += _OBJECT.pack(step.kind, step.size, step.digest)
        return self.rest() if len(self._steps) >= PIECE else None

    def rest(self) -> bytes:
        """The steps not yet handed out."""
        steps = bytes(self._steps)
        self._steps.clear()
        return steps


def encode_root(blob: Digest, size: int, steps: bytes, parts: Iterable[ObjectKey]) -> bytes:
    """The root object's plain bytes: with its steps, or the list of its parts."""
    references = b"".join(_REFERENCE.pack(part.size, part.digest) for part in parts)
    form = _IN_PARTS if references else _INLINE
    return _ROOT.pack(_MAGIC, CODEC_NONE, blob.raw, size, form) + (references or steps)


def decode_root(data: bytes) -> Recipe:
    """From a root object's plain bytes.

    Raises:
        DamagedError: not a recipe, or one that this version of airstore cannot follow.
    """
    if len(data) < _ROOT.size or not data.startswith(_MAGIC):
        raise DamagedError("an object stored as a recipe is none")
    _, codec, blob, size, form = _ROOT.unpack_from(data)
    rest = data[_ROOT.size :]
    digest = Digest.from_raw(blob)
    if codec != CODEC_NONE:
        raise DamagedError(
            f"the recipe of blob {digest} uses codec {codec}", hint="use a newer version of airstore"
        )
    if form == _INLINE:
        return Recipe(digest, size, rest, ())
    if form != _IN_PARTS or not rest or len(rest) % _REFERENCE.size:
        raise DamagedError(f"the recipe of blob {digest} has a damaged list of parts")
    parts = tuple(ObjectKey(Kind.PART, raw, count) for count, raw in _REFERENCE.iter_unpack(rest))
    if sum(part.size for part in parts) > LIMITS.recipe:
        raise DamagedError(f"the recipe of blob {digest} is longer than {LIMITS.recipe} bytes")
    return Recipe(digest, size, b"", parts)


def walk(recipe: Recipe, load: Callable[[ObjectKey], bytes]) -> Iterator[Step]:
    """The steps of a recipe, part by part, checked to make up exactly the blob's size.

    Args:
        recipe: the decoded root.
        load: reads a part object, verified.

    Raises:
        DamagedError: the steps do not make sense; steps before the fault have been handed out.
    """
    produced = pending = 0
    for encoded in (load(part) for part in recipe.parts) if recipe.parts else (recipe.steps,):
        for step in _decode_steps(encoded, recipe.blob):
            if isinstance(step, int):
                produced, pending = produced + step, pending - step
            elif step.kind is Kind.SKELETON:
                _require(pending == 0, recipe.blob)
                pending = step.size
            else:
                produced += step.size
            _require(pending >= 0 and produced <= recipe.size, recipe.blob)
            yield step
    _require(pending == 0 and produced == recipe.size, recipe.blob)


def _decode_steps(encoded: bytes, blob: Digest) -> Iterator[Step]:
    at, end = 0, len(encoded)
    while at < end:
        kind = _OBJECTS.get(encoded[at])
        layout = _OBJECT if kind else _TAKE
        _require(at + layout.size <= end, blob)
        if kind:
            _, size, digest = _OBJECT.unpack_from(encoded, at)
            _require(0 < size <= LIMITS.object_size, blob)
            yield ObjectKey(kind, digest, size)
        else:
            code, count = _TAKE.unpack_from(encoded, at)
            _require(code == 0 and count > 0, blob)
            yield count
        at += layout.size


def _require(holds: bool, blob: Digest) -> None:
    if not holds:
        raise DamagedError(f"the recipe of blob {blob} does not make up its bytes")
