"""Which bytes of which file a volume carries (docs/formats-media.md, Volumes)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import GIB, KIB

SMALLEST = 256 * KIB  # bytes of a volume; less has no room for the index
LARGEST = 2 * GIB  # bytes of a slice: FAT32 ends below 4 GiB, whatever the drive holds
CLUSTER = 32 * KIB  # what file systems of carriers give out at least at a time: each file is counted so


class FileSpan(NamedTuple):
    """Bytes of one file: where they begin, and how many."""

    path: str
    offset: int
    size: int


@frozen
class Slice:
    """What lies in one file of a volume: a whole file of the media, or a part of it.

    Attributes:
        path: of the file of the media.
        offset: where in it the slice begins.
        size: bytes.
        digest: of the slice's own bytes.
    """

    path: str
    offset: int
    size: int
    digest: Digest

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {"path": self.path, "offset": self.offset, "size": self.size, "digest": str(self.digest)}

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Slice:
        """From a JSON object that passed its schema."""
        return cls(entry["path"], entry["offset"], entry["size"], Digest(entry["digest"]))

    def name(self, file_size: int) -> str:
        """The relative path on the volume."""
        return self.path if self.size == file_size else f"{self.path}+{self.offset}"


def plan(sizes: Mapping[str, int], volume_size: int, reserved: int) -> list[list[FileSpan]]:
    """Fill volume after volume, in the order given; a file goes on in the next one where it does not fit.

    Args:
        sizes: bytes of each file, in the order in which they shall lie.
        volume_size: bytes that one volume holds.
        reserved: bytes of what lies on every volume.

    Raises:
        UsageError: a volume is too small for what lies on every one.
    """
    most = volume_size - room(reserved)
    if volume_size < SMALLEST or most < CLUSTER:
        least = max(SMALLEST, room(reserved) + CLUSTER)
        raise UsageError(
            f"a volume of {volume_size} bytes is too small; the smallest for these media is {least} bytes"
        )
    volumes: list[list[FileSpan]] = [[]]
    left = most
    for path, size in sizes.items():
        offset = 0
        while offset < size:
            if left < CLUSTER:
                volumes.append([])
                left = most
            taken = min(size - offset, left // CLUSTER * CLUSTER, LARGEST)
            volumes[-1].append(FileSpan(path, offset, taken))
            left -= room(taken)
            offset += taken
    return volumes


def check(volumes: Sequence[Sequence[Slice]], sizes: Mapping[str, int], what: str) -> None:
    """Whether slices make up each file once, without gap or overlap.

    Raises:
        DamagedError: they do not.
    """
    ends: dict[str, int] = {}
    for piece in sorted(
        (piece for volume in volumes for piece in volume), key=lambda piece: (piece.path, piece.offset)
    ):
        if not piece.size or piece.path not in sizes or piece.offset != ends.get(piece.path, 0):
            raise DamagedError(f"{what} cuts {piece.path} into volumes with a gap or twice")
        ends[piece.path] = piece.offset + piece.size
    if ends != dict(sizes):
        raise DamagedError(f"{what} does not cut every file into volumes as a whole")


def numbers(found: Iterable[int]) -> str:
    """Volumes for people: ``2`` or ``2, 3 and 5``."""
    words = [str(number) for number in sorted(set(found))]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def volume_names(count: int) -> list[str]:
    """The directories of so many volumes, as `media create` names them."""
    return [f"volume-{number:0{len(str(count))}}" for number in range(1, count + 1)]


def room(size: int) -> int:
    """Bytes that a file takes on a carrier."""
    return -(-size // CLUSTER) * CLUSTER
