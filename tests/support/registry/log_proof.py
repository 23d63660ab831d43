"""A transparency log's tree and what it says of it, from the definitions of RFC 6962 and not from paths."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.registry.layouts import Node

ORIGIN = "log.example.com - 1"


def tree_hash(entries: Sequence[bytes]) -> bytes:
    """MTH of section 2.1."""
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    split = _split(entries)
    return hashlib.sha256(b"\1" + tree_hash(entries[:split]) + tree_hash(entries[split:])).digest()


def audit_path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH of section 2.1.1."""
    if len(entries) == 1:
        return []
    split = _split(entries)
    if index < split:
        return [*audit_path(index, entries[:split]), tree_hash(entries[split:])]
    return [*audit_path(index - split, entries[split:]), tree_hash(entries[:split])]


def _split(entries: Sequence[bytes]) -> int:
    return 1 << (len(entries) - 1).bit_length() - 1


def entries_around(body: bytes, index: int, size: int) -> list[bytes]:
    """A log with an entry at a place."""
    return [body if place == index else b"entry %d" % place for place in range(size)]


def checkpoint(key: ec.EllipticCurvePrivateKey, size: int, root: bytes, origin: str = ORIGIN) -> str:
    """A signed note, as Rekor 1 writes it."""
    text = f"{origin}\n{size}\n{_b64(root)}\n"
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signature = hashlib.sha256(public).digest()[:4] + key.sign(text.encode(), ec.ECDSA(SHA256()))
    return f"{text}\n\N{EM DASH} {origin.partition(' ')[0]} {_b64(signature)}\n"


def proof(key: ec.EllipticCurvePrivateKey, body: bytes, index: int, size: int) -> Node:
    """As a bundle has it."""
    entries = entries_around(body, index, size)
    root = tree_hash(entries)
    return {
        "logIndex": str(index),
        "rootHash": _b64(root),
        "treeSize": str(size),
        "hashes": [_b64(each) for each in audit_path(index, entries)],
        "checkpoint": {"envelope": checkpoint(key, size, root)},
    }


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
