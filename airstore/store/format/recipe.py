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

from airstore.codec.opening import FORMAT
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.store.format.objects import PIECE, ObjectKey, ObjectKind

CODEC_NONE = 0  # the steps' bytes, joined, are the blob
CODEC_GZIP = 1  # they are its plain bytes; side data say how they were compressed
_MAGIC = b"RECIPE\x01"
_ROOT = struct.Struct("<7sB32sQB")
_REFERENCE = struct.Struct("<I32s")
_TAKE = struct.Struct("<BI")
_OBJECT = struct.Struct("<BI32s")
_DIGEST = 32
_OBJECTS = {int(kind): kind for kind in (ObjectKind.RAW, ObjectKind.SKELETON, ObjectKind.BODY)}
_OPENED = struct.Struct("<QBIB")
_INLINE, _IN_PARTS = 0, 1

_NEWER = "use a newer version of airstore"

Step = int | ObjectKey  # TAKE of so many bytes, or an object


class Opened(NamedTuple):
    """What a recipe of an opened gzip blob has besides its steps, which make up the plain bytes.

    Attributes:
        plain_size: bytes of what the blob holds.
        encoder: the encoder whose model was used, for people.
        side: objects that hold the side data, in order.
    """

    plain_size: int
    encoder: str
    side: tuple[ObjectKey, ...]

    @property
    def side_size(self) -> int:
        """Bytes of side data."""
        return sum(key.size for key in self.side)


class Recipe(NamedTuple):
    """A decoded root.

    Attributes:
        blob: what is rebuilt.
        size: bytes of the blob.
        steps: encoded steps, where they are few.
        parts: objects that hold the encoded steps, where they are many.
        opened: None where the blob is what the steps make up.
    """

    blob: Digest
    size: int
    steps: bytes
    parts: tuple[ObjectKey, ...]
    opened: Opened | None = None

    @property
    def steps_size(self) -> int:
        """Bytes that the steps make up."""
        return self.opened.plain_size if self.opened else self.size


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


def encode_root(
    blob: Digest, size: int, steps: bytes, parts: Iterable[ObjectKey], opened: Opened | None = None
) -> bytes:
    """The root object's plain bytes: with its steps, or the list of its parts."""
    references = _references(parts)
    form = _IN_PARTS if references else _INLINE
    codec = CODEC_GZIP if opened else CODEC_NONE
    head = _ROOT.pack(_MAGIC, codec, blob.raw, size, form)
    return head + (_encode_opened(opened) if opened else b"") + (references or steps)


def _encode_opened(opened: Opened) -> bytes:
    name = opened.encoder.encode()[:255]
    return (
        _OPENED.pack(opened.plain_size, FORMAT, len(opened.side), len(name)) + name + _references(opened.side)
    )


def _references(keys: Iterable[ObjectKey]) -> bytes:
    return b"".join(_REFERENCE.pack(key.size, key.digest) for key in keys)


def decode_root(data: bytes) -> Recipe:
    """From a root object's plain bytes.

    Raises:
        DamagedError: not a recipe, or one that this version of airstore cannot follow.
    """
    if len(data) < _ROOT.size or not data.startswith(_MAGIC):
        raise DamagedError("an object stored as a recipe is none")
    _, codec, blob, size, form = _ROOT.unpack_from(data)
    digest, rest = Digest.from_raw(blob), data[_ROOT.size :]
    if codec not in (CODEC_NONE, CODEC_GZIP):
        raise DamagedError(f"the recipe of blob {digest} uses codec {codec}", hint=_NEWER)
    opened = None
    if codec == CODEC_GZIP:
        opened, rest = _decode_opened(rest, digest)
    if form == _INLINE:
        return Recipe(digest, size, rest, (), opened)
    if form != _IN_PARTS or not rest or len(rest) % _REFERENCE.size:
        raise DamagedError(f"the recipe of blob {digest} has a damaged list of parts")
    parts = _decode_references(rest, ObjectKind.PART)
    if sum(part.size for part in parts) > LIMITS.recipe:
        raise DamagedError(f"the recipe of blob {digest} is longer than {LIMITS.recipe} bytes")
    return Recipe(digest, size, b"", parts, opened)


def _decode_opened(data: bytes, blob: Digest) -> tuple[Opened, bytes]:
    """What an opened blob's recipe has besides its steps, and what follows it."""
    _require(len(data) >= _OPENED.size, blob)
    plain_size, version, count, length = _OPENED.unpack_from(data)
    if version != FORMAT:
        raise DamagedError(f"the recipe of blob {blob} uses version {version} of the codec", hint=_NEWER)
    name = data[_OPENED.size : _OPENED.size + length]
    start = _OPENED.size + length
    end = start + count * _REFERENCE.size
    _require(count > 0 and plain_size <= LIMITS.layer_plain and end <= len(data), blob)
    side = _decode_references(data[start:end], ObjectKind.RAW)
    return Opened(plain_size, name.decode(errors="replace"), side), data[end:]


def _decode_references(data: bytes, kind: ObjectKind) -> tuple[ObjectKey, ...]:
    return tuple(ObjectKey(kind, raw, count) for count, raw in _REFERENCE.iter_unpack(data))


def walk(recipe: Recipe, load: Callable[[ObjectKey], bytes]) -> Iterator[Step]:
    """The steps of a recipe, part by part, checked to make up exactly the blob's size, or its plain bytes'.

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
            elif step.kind is ObjectKind.SKELETON:
                _require(pending == 0, recipe.blob)
                pending = step.size
            else:
                produced += step.size
            _require(pending >= 0 and produced <= recipe.steps_size, recipe.blob)
            yield step
    _require(pending == 0 and produced == recipe.steps_size, recipe.blob)


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


def digests(encoded: bytes) -> Iterator[bytes]:
    """Digests of the objects that steps name: a tenth of the time of `walk`, and nothing is checked."""
    at, end = 0, len(encoded)
    while at < end:
        if encoded[at]:
            yield encoded[at + _OBJECT.size - _DIGEST : at + _OBJECT.size]
            at += _OBJECT.size
        else:
            at += _TAKE.size


def _require(holds: bool, blob: Digest) -> None:
    if not holds:
        raise DamagedError(f"the recipe of blob {blob} does not make up its bytes")
