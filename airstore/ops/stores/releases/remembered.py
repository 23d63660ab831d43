"""``verified.json``: what was verified of each release, so that listings need not do it again.

A cache. An entry says that this airstore verified this commit and this tag against this trust root, which an
object id and the root's digest name exactly; it says nothing about anything else, and only listings believe
it. Any other trust root, version of airstore, or damage, and it is ignored and written again. Without it
commands cost time and nothing more.

One JSON document a line, the first of them the key; each after the SHA-256 of the digest before it and of
itself, so that an import adds a line and reads two, however many there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from os import SEEK_END
from typing import Any, BinaryIO

from airstore import __version__
from airstore.core.durable import write_file
from airstore.core.errors import DamagedError, StorageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.history.links import ReleaseLink
from airstore.ops.stores.directory import StoreDirectory
from airstore.trust.root.sign import TrustRoot

FILE = "verified.json"
# Raise it whenever `verify_release` asks more of a release than before, or an entry says more.
VERIFICATION = 1
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, DamagedError)
_PIECE = 1 << 14  # bytes


@frozen
class Made:
    """By whom and when: seconds since the epoch, and the id of the key that signed the commit."""

    when: int
    author: str
    signer: str


@frozen
class Counts:
    """How much a release consists of; ``size`` is all blobs' bytes."""

    images: int
    charts: int
    blobs: int
    size: int


@frozen
class Summary:
    """A verified release, in brief.

    Attributes:
        digest: of its ``release.json``.
        added: digests of blobs that the release before does not have.
        removed: digests of blobs that only the release before has.
    """

    link: ReleaseLink
    sequence: int
    digest: Digest
    made: Made
    counts: Counts
    added: frozenset[Digest]
    removed: frozenset[Digest]


class Remembered:
    """The cache of one store."""

    def __init__(self, store: StoreDirectory, root: TrustRoot) -> None:
        self._file = store.path / FILE
        self._key = {"key": f"{__version__}/{VERIFICATION}/{Digest.of(root.to_bytes())}"}

    def load(self) -> dict[str, Summary]:
        """Summaries by commit, oldest first; as far as the cache holds, and none where there is none."""
        found: dict[str, Summary] = {}
        with suppress(OSError, *_DAMAGE):  # whatever is wrong with it, what it says can be found out again
            lines = _checked(self._file.read_bytes().split(b"\n")[:-1])
            if next(lines, None) == self._key:
                for entry in lines:
                    found[entry["commit"]] = _parse(entry)
        return found

    def last(self) -> Summary | None:
        """The newest of them, read without the others; None where there is none that holds."""
        with suppress(OSError, *_DAMAGE), self._file.open("rb") as file:
            if next(_checked([file.readline().removesuffix(b"\n")]), None) == self._key:
                before, line = _last_lines(file)
                return _parse(_body(line, _digest(before)))
        return None

    def save(self, found: Iterable[Summary]) -> None:
        """Write it; where the store cannot be written to, the next command verifies again."""
        with suppress(StorageError):
            data = b"".join(_lines("", [self._key, *map(_to_json, found)]))
            write_file(self._file, data, mode=0o644)

    def add(self, found: Iterable[Summary]) -> None:
        """Write those that follow `last`, which is there; a line that was cut short ends what holds."""
        with suppress(OSError, *_DAMAGE), self._file.open("r+b") as file:
            before = _digest(_last_lines(file)[1])
            file.seek(0, SEEK_END)
            file.writelines(_lines(before, map(_to_json, found)))


def vouched_root(store: StoreDirectory) -> Digest | None:
    """The trust root that releases were last verified against here, for when its file is damaged."""
    with suppress(OSError, *_DAMAGE), (store.path / FILE).open("rb") as file:
        for header in _checked([file.readline().removesuffix(b"\n")]):
            return Digest(header["key"].rpartition("/")[2])
    return None


def _lines(before: str, entries: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for entry in entries:
        body = json.dumps(entry, separators=(",", ":")).encode()
        before = Digest.of(before.encode() + body).hex
        yield b"%s %s\n" % (before.encode(), body)


def _checked(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """What lines say from the first on; raises one of `_DAMAGE` at the first that does not follow."""
    before = ""
    for line in lines:
        yield _body(line, before)
        before = _digest(line)


def _body(line: bytes, before: str) -> Mapping[str, Any]:
    said, _, body = line.partition(b" ")
    if said.decode() != Digest.of(before.encode() + body).hex:
        raise ValueError("altered or cut short")
    entry: Mapping[str, Any] = json.loads(body)
    return entry


def _digest(line: bytes) -> str:
    return line.partition(b" ")[0].decode()


def _last_lines(file: BinaryIO) -> tuple[bytes, bytes]:
    """The last two lines; read from the end on, in growing pieces, as a line may be long."""
    size, piece = file.seek(0, SEEK_END), _PIECE
    while True:
        file.seek(max(0, size - piece))
        lines = file.read().split(b"\n")
        if lines[-1]:
            raise ValueError("cut short")
        if len(lines) > 3 or piece >= size:  # the first may be the end of one
            return (b"", *lines)[-3], lines[-2]
        piece *= 4


def _to_json(summary: Summary) -> dict[str, Any]:
    return {
        **vars(summary.link),
        "sequence": summary.sequence,
        "digest": summary.digest,
        **vars(summary.made),
        **vars(summary.counts),
        "added": sorted(summary.added),
        "removed": sorted(summary.removed),
    }


def _parse(entry: Mapping[str, Any]) -> Summary:
    return Summary(
        ReleaseLink(entry["version"], entry["commit"], entry["parent"], entry["tag"]),
        entry["sequence"],
        Digest(entry["digest"]),
        Made(entry["when"], entry["author"], entry["signer"]),
        Counts(entry["images"], entry["charts"], entry["blobs"], entry["size"]),
        frozenset(map(Digest, entry["added"])),
        frozenset(map(Digest, entry["removed"])),
    )
