"""``verified.json``: what was verified of each release, so that listings need not do it again.

A cache. An entry says that this airstore verified this commit and this tag against this trust root, which an
object id and the root's digest name exactly; it says nothing about anything else, and only listings believe
it. Any other trust root, version of airstore, or damage, and it is ignored and written again. Without it
commands cost time and nothing more.

The first line is the SHA-256 of the rest, which is one JSON document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airstore import __version__
from airstore.core.durable import write_file
from airstore.core.errors import DamagedError, StorageError
from airstore.core.image.digest import Digest
from airstore.history.links import Link
from airstore.ops.stores.directory import StoreDirectory
from airstore.trust.root.sign import TrustRoot

FILE = "verified.json"
# Raise it whenever `verify_release` asks more of a release than before, or an entry says more.
VERIFICATION = 1


@dataclass(frozen=True)
class Made:
    """By whom and when: seconds since the epoch, and the id of the key that signed the commit."""

    when: int
    author: str
    signer: str


@dataclass(frozen=True)
class Counts:
    """How much a release consists of; ``size`` is all blobs' bytes."""

    images: int
    charts: int
    blobs: int
    size: int


@dataclass(frozen=True)
class Summary:
    """A verified release, in brief.

    Attributes:
        digest: of its ``release.json``.
        added: digests of blobs that the release before does not have.
        removed: digests of blobs that only the release before has.
    """

    link: Link
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
        self._key = f"{__version__}/{VERIFICATION}/{Digest.of(root.to_bytes())}"

    def load(self) -> dict[str, Summary]:
        """Summaries by commit, oldest first; none where there is no cache that holds."""
        try:
            said, _, body = self._file.read_bytes().partition(b"\n")
            if said.decode() != str(Digest.of(body)):
                return {}
            document = json.loads(body)
            if document["key"] != self._key:
                return {}
            return {each["commit"]: _parse(each) for each in document["releases"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError, DamagedError):
            return {}  # whatever is wrong with it, what it says can be found out again

    def save(self, found: Iterable[Summary]) -> None:
        """Write it; where the store cannot be written to, the next command verifies again."""
        document = {"key": self._key, "releases": [_to_json(each) for each in found]}
        body = json.dumps(document, separators=(",", ":")).encode()
        with suppress(StorageError):
            write_file(self._file, f"{Digest.of(body)}\n".encode() + body, mode=0o644)


def vouched_root(store: StoreDirectory) -> Digest | None:
    """The trust root that releases were last verified against here, for when its file is damaged."""
    try:
        said, _, body = (store.path / FILE).read_bytes().partition(b"\n")
        document = json.loads(body) if said.decode() == str(Digest.of(body)) else {}
        return Digest(document["key"].rpartition("/")[2])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, DamagedError):
        return None


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
        Link(entry["version"], entry["commit"], entry["parent"], entry["tag"]),
        entry["sequence"],
        Digest(entry["digest"]),
        Made(entry["when"], entry["author"], entry["signer"]),
        Counts(entry["images"], entry["charts"], entry["blobs"], entry["size"]),
        frozenset(map(Digest, entry["added"])),
        frozenset(map(Digest, entry["removed"])),
    )
