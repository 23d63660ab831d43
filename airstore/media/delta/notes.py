"""What made a delta large, for people: bytes by image, and the most expensive files. Pure.

Nothing is restored from it. Pieces share compressed frames, so each is said to take its share of its frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from airstore.core.parsing import schema, strictjson
from airstore.media.delta.format.layout import Stream, StreamSegment
from airstore.media.delta.format.table import STREAM, NewPiece
from airstore.media.delta.making.pairing import general

if TYPE_CHECKING:  # an import reads notes at most
    from airstore.media.delta.making.carried import Noted
    from airstore.media.delta.making.difference import PlacedPiece

LARGEST = 1 << 20  # bytes of notes that are read
_FILES = 10
_IMAGES = 1000
_TEXT = 1000  # characters of a path; longer ones are cut
_COPIED = "(all of it, as the registry has it)"
_NOT_FILES = {"\0content": "(names, times and documents)", "\0side data": "(how layers are compressed)"}


def write_notes(
    noted: Sequence[Noted],
    pieces: Sequence[NewPiece],
    segments: Sequence[StreamSegment],
    copied: Sequence[tuple[str, int]] = (),
) -> bytes:
    """The notes.

    Args:
        noted: new pieces.
        pieces: how they are carried.
        segments: what they are in.
        copied: places and bytes of blobs that travel beside the delta as they are.
    """
    costs = sorted(zip(_shares(pieces, segments), count(), pieces, strict=False), key=lambda cost: -cost[0])
    images = Counter[str]()
    for place, size in copied:
        images[_image(place)] += size
    for share, number, _ in costs:
        images[_image(noted[number].held.file.place)] += share
    files = [
        {"image": _image(noted[n].held.file.place), "media_bytes": share, **_file(*noted[n], piece)}
        for share, n, piece in costs[:_FILES]
        if share
    ]
    files = sorted([*map(_copied, copied), *files], key=lambda row: -row["media_bytes"])[:_FILES]
    rows = [{"image": image, "media_bytes": share} for image, share in images.most_common(_IMAGES) if share]
    return strictjson.dumps({"images": rows, "files": files})


def read_notes(data: bytes) -> dict[str, Any]:
    """The notes again.

    Raises:
        DamagedError: they are none.
    """
    what = "the notes of a delta"
    document = strictjson.load_object(data, what, LARGEST)
    schema.check_json(document, "media-notes", what)
    return document


def _shares(pieces: Sequence[NewPiece], segments: Sequence[StreamSegment]) -> list[int]:
    """About how many bytes of the file each piece takes."""
    parts = {stream: _parts(segments, stream) for stream in Stream}
    left, rate, shares = dict.fromkeys(Stream, 0), dict.fromkeys(Stream, 0.0), list[int]()
    for piece in pieces:
        stream = STREAM[piece.kind]
        while left[stream] <= 0 and (following := next(parts[stream], None)):
            left[stream] += following.plain
            rate[stream] = following.stored / max(following.plain, 1)
        left[stream] -= piece.carried
        shares.append(round(piece.carried * rate[stream]))
    return shares


def _parts(segments: Sequence[StreamSegment], stream: Stream) -> Iterator[StreamSegment]:
    return (segment for segment in segments if segment.stream is stream)


def _file(held: PlacedPiece, base: PlacedPiece | None, piece: NewPiece) -> dict[str, Any]:
    return {
        "file": _name(held),
        "plain_bytes": piece.size,
        "base": _name(base) if base and piece.bases else None,
        "why": _why(held, base, whole=not piece.bases),
    }


def _why(held: PlacedPiece, base: PlacedPiece | None, *, whole: bool) -> str:
    if base is None:
        return "no base: nothing like it was found"
    if whole:
        return "whole: a patch would save nothing, or next to nothing"
    if held.file.path == base.file.path:
        return "base has the same path"
    if general(held.file.path) == general(base.file.path):
        return "base has the same path but for versions and hashes"
    return "base has content in common"


def _name(held: PlacedPiece) -> str:
    path = held.file.path.rpartition("\0")[0]
    return _NOT_FILES.get(path, path[:_TEXT])


def _image(place: str) -> str:
    return place.partition(" ")[0][:_TEXT]


def _copied(blob: tuple[str, int]) -> dict[str, Any]:
    place, size = blob
    row = {"image": _image(place), "media_bytes": size, "file": _COPIED, "plain_bytes": size, "base": None}
    return {**row, "why": "copied: too little of it is at the site to compress it again there"}
