"""What the index takes from packs, and what it says of objects and blobs."""

from __future__ import annotations

from typing import NamedTuple

from airstore.store.format.objects import ObjectKey
from airstore.store.format.pack import PackFrame


class Location(NamedTuple):
    """One copy of an object: its frame, and where in the frame's plain bytes it lies.

    Attributes:
        pack: the pack's name, 32 raw bytes.
        frame: the frame's number in this index.
        frame_offset: where the frame starts in the pack.
        stored: the frame's bytes in the pack.
        plain: the frame's plain bytes.
        objects: how many objects the frame holds.
        offset: where the object starts in the plain bytes.
        size: the object's plain bytes.
    """

    pack: bytes
    frame: int
    frame_offset: int
    stored: int
    plain: int
    objects: int
    offset: int
    size: int


class BlobRow(NamedTuple):
    """A blob that has a recipe."""

    digest: bytes
    size: int
    recipe: ObjectKey


class PackRows(NamedTuple):
    """What the index takes from one pack; a pack that cannot be read has no frames."""

    name: bytes
    size: int
    frames: list[PackFrame]
    blobs: list[BlobRow]
