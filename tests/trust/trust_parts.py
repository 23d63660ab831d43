"""Real keys, roots and releases that the tests of trust are made of."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings

from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.trust.policy import Link
from airstore.trust.root.sign import TrustRoot
from airstore.trust.ssh.keys import PrivateKey

BOUNDED = settings(max_examples=50, deadline=None, derandomize=True, database=None)


def key(number: int) -> PrivateKey:
    """The same key for the same number, so that failures repeat."""
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


ALICE, BOB, CAROL, MALLORY = key(1), key(2), key(3), key(66)
NAMES = {"alice": ALICE, "bob": BOB, "carol": CAROL, "mallory": MALLORY}


def make_root(
    root: Sequence[str] = ("alice",),
    release: Sequence[str] = ("alice",),
    *,
    version: int = 1,
    thresholds: tuple[int, int] = (1, 1),
    product: str = "shop",
) -> TrustRoot:
    keys = {name: NAMES[name].public for name in {*root, *release}}
    roles = {"root": (root, thresholds[0]), "release": (release, thresholds[1])}
    return TrustRoot.create(product, keys, roles, version=version)


def make_release(sequence: int, previous: Digest | None, *, note: str = "", product: str = "shop") -> Release:
    files = {"values/note.txt": Digest.of(note.encode())}
    return Release(product, f"1.{sequence}{note}", sequence, previous, ("linux/amd64",), (), (), (), files)


def link(release: Release) -> Link:
    return release, Digest.of(release.to_bytes())


def make_chain(count: int, *, after: Link | None = None, note: str = "", product: str = "shop") -> list[Link]:
    """``count`` releases, each naming the one before it; the first follows ``after``."""
    chain = [after] if after else []
    for _ in range(count):
        last = chain[-1] if chain else None
        sequence, previous = (last[0].sequence + 1, last[1]) if last else (1, None)
        chain.append(link(make_release(sequence, previous, note=note, product=product)))
    return chain[1:] if after else chain


def run(*command: str | Path, stdin: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=stdin, capture_output=True, check=check, timeout=30)
