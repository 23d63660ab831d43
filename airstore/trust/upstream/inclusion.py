"""Proofs that an entry is in a transparency log: a Merkle audit path, and a checkpoint that the log signed.

Sources: RFC 6962, section 2.1.1 (audit paths), with the checks of RFC 9162, section 2.1.3.2; C2SP's
signed-note and tlog-checkpoint; Rekor 1, whose checkpoints are signed by the key that signs its promises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airstore.core.errors import DamagedError, NotTrustedError
from airstore.core.frozen import frozen
from airstore.trust.upstream.trusted_root import LogKey
from airstore.trust.wire import decode_base64

_LEAF, _NODE = b"\0", b"\1"  # in front of what is hashed, so that neither can pass for the other
_HASH = 32
_HINT = 4  # bytes of the log's id in front of each signature
_DEPTH = 64  # of a log with as many entries as a number of 64 bits counts
_SIGNATURES = 32  # of one checkpoint: the log's and its witnesses'
_MARK = "\N{EM DASH} "


@frozen
class Checkpoint:
    """What a log said it held; nothing in it is trusted before `check_by`.

    Attributes:
        size: number of entries.
        root: hash of the tree of them.
        text: what is signed.
        signatures: the first four bytes of a key's id each, and a signature.
    """

    size: int
    root: bytes
    text: bytes
    signatures: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        """From a signed note: lines, an empty one, a line for each signature.

        Raises:
            DamagedError: not of that form.
        """
        text, gap, signatures = note.partition("\n\n")
        lines = text.split("\n")
        if not gap or len(lines) < 3 or not lines[0]:
            raise DamagedError(
                "the log's checkpoint has no name, size and root hash, and signatures after them"
            )
        return cls(
            _number(lines[1], "the checkpoint's size"),
            _hash(lines[2], "the checkpoint's root hash"),
            f"{text}\n".encode(),
            tuple(_signatures(signatures)),
        )

    def check_by(self, logs: Iterable[LogKey]) -> None:
        """Verify that one of these logs signed it.

        Raises:
            NotTrustedError: none did.
        """
        for log in logs:
            for hint, signature in self.signatures:
                if hint == log.id[:_HINT] and log.key.verifies(signature, self.text):
                    return
        raise NotTrustedError("the checkpoint of the log's proof is not by the log's key")


@frozen
class InclusionProof:
    """Leads from an entry to a checkpoint; nothing in it is trusted before `check`.

    Attributes:
        index: the entry's place in this tree; a log of several trees counts on in `LogEntry.index`.
        size: number of entries of the tree.
        root: hash of the tree.
        path: hashes of what stands beside the entry and what is above it, from below.
    """

    index: int
    size: int
    root: bytes
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> InclusionProof:
        """From a bundle's ``inclusionProof``; a number of zero is left out by some writers.

        Raises:
            DamagedError: not of that form.
            KeyError, TypeError, AttributeError: a part is missing or of another type.
        """
        if not entry.get("checkpoint"):
            raise DamagedError("the log's proof has no checkpoint, and without one it proves nothing")
        path = entry.get("hashes", [])
        if len(path) > _DEPTH:
            raise DamagedError(f"the log's proof has {len(path)} hashes; {_DEPTH} suffice for any log")
        return cls(
            _number(entry.get("logIndex", 0), "the place in the log's proof"),
            _number(entry["treeSize"], "the size in the log's proof"),
            _hash(entry["rootHash"], "the root hash of the log's proof"),
            tuple(_hash(each, "a hash of the log's proof") for each in path),
            Checkpoint.parse(entry["checkpoint"]["envelope"]),
        )

    def check(self, body: bytes, logs: Iterable[LogKey]) -> None:
        """Verify that what was logged is in a tree that one of these logs signed.

        Args:
            body: the entry, as it was logged.
            logs: keys of the log that the entry names.

        Raises:
            NotTrustedError: it is not so.
        """
        self.checkpoint.check_by(logs)
        if (self.size, self.root) != (self.checkpoint.size, self.checkpoint.root):
            raise NotTrustedError("the log's proof is for another tree than its checkpoint")
        if not self.index < self.size:
            raise NotTrustedError(f"the log's proof is for entry {self.index} of {self.size}")
        if _root(hashlib.sha256(_LEAF + body).digest(), self.index, self.size, self.path) != self.root:
            raise NotTrustedError("the log's proof does not lead from the entry to the root hash")


def _root(leaf: bytes, index: int, size: int, path: Iterable[bytes]) -> bytes | None:
    """Where a path leads to (RFC 9162, section 2.1.3.2); None where it is too long or too short.

    Args:
        leaf: hash of the entry.
        index: its place, below ``size``.
        size: number of entries.
        path: from below.
    """
    found, place, last = leaf, index, size - 1
    for beside in path:
        if not last:
            return None
        if place % 2 or place == last:
            found = hashlib.sha256(_NODE + beside + found).digest()
            while not place % 2 and place:  # the last of an odd number goes up as it is
                place, last = place // 2, last // 2
        else:
            found = hashlib.sha256(_NODE + found + beside).digest()
        place, last = place // 2, last // 2
    return None if last else found


def _signatures(text: str) -> Iterator[tuple[bytes, bytes]]:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) > _SIGNATURES:
        raise DamagedError(f"the log's checkpoint has {len(lines)} signatures; {_SIGNATURES} at most")
    for line in lines:
        _, _, signature = line.removeprefix(_MARK).rpartition(" ")
        data = decode_base64(signature, "a signature of the log's checkpoint")
        if not line.startswith(_MARK) or len(data) <= _HINT:
            raise DamagedError(f"a signature of the log's checkpoint is no signature: {line[:100]!r}")
        yield data[:_HINT], data[_HINT:]


def _number(value: object, what: str) -> int:
    """From the digits that JSON has for numbers of 64 bits, or a number."""
    text = str(value) if isinstance(value, str | int) else ""
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise DamagedError(f"{what} is no number: {text[:100]!r}")
    return int(text)


def _hash(text: str, what: str) -> bytes:
    data = decode_base64(text, what)
    if len(data) != _HASH:
        raise DamagedError(f"{what} has {len(data)} bytes; SHA-256 has {_HASH}")
    return data
