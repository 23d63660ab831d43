"""What an object is: a kind, the SHA-256 of its plain bytes, and their number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from airstore.core.limits import MIB

PIECE = MIB  # plain bytes; larger bodies and raw blobs are cut into pieces of this size
FRAME = MIB  # plain bytes; neighbours are compressed together up to about this size


class ObjectKind(IntEnum):
    """What an object is used as. One kind is never read as another, even when the bytes are the same.

    A file inside a layer could otherwise be made to pose as a recipe (borg, CVE-2023-36811).
    """

    RAW = 1  # piece of a blob that is kept as it is
    SKELETON = 2  # bytes of a tar that are not file bodies
    BODY = 3  # file body, or a piece of one
    RECIPE = 4  # how to rebuild a blob; its root
    PART = 5  # steps of a recipe too long for its root


class ObjectKey(NamedTuple):
    """The identity of an object.

    Attributes:
        kind: what it may be read as.
        digest: 32 raw bytes, SHA-256 of the plain bytes.
        size: plain bytes, at least 1.
    """

    kind: ObjectKind
    digest: bytes
    size: int

    def __str__(self) -> str:
        return f"{self.kind.name.lower()} object {self.digest.hex()[:12]}"


def key_of(kind: ObjectKind, data: bytes) -> ObjectKey:
    """The identity of an object with these plain bytes."""
    return ObjectKey(kind, hashlib.sha256(data).digest(), len(data))


def damaged(plain: bytes, keys: Iterable[ObjectKey]) -> list[ObjectKey]:
    """Which objects of a frame its plain bytes do not hold, in order; those past its end among them."""
    found, at, view = [], 0, memoryview(plain)
    for key in keys:
        if hashlib.sha256(view[at : at + key.size]).digest() != key.digest:
            found.append(key)
        at += key.size
    return found
