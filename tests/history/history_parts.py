"""What the tests of the history share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from airstore.core.release import Release
from airstore.history.repository import History

AUTHOR = ("Release Bot", "release@shop.example")
WHEN = 1_760_000_000
Sign = Callable[[bytes], str]
Run = Callable[..., subprocess.CompletedProcess[str]]
Publish = Callable[..., str]


def release_files(sequence: int, version: str) -> dict[str, bytes]:
    release = Release(
        product="shop",
        version=version,
        sequence=sequence,
        previous=None,
        platforms=(),
        images=(),
        charts=(),
        helm_releases=(),
        files={},
    )
    lines = b"".join(b"key%d: %d\n" % (n, n if n % 7 else sequence) for n in range(50))
    return {
        "release.json": release.to_bytes(),
        "charts/shop/Chart.yaml": f"name: shop\nversion: {version}\n".encode(),
        "charts/shop/values.yaml": lines,
        "charts/shop-db/Chart.yaml": b"name: shop-db\n",
        "values/large.yaml": b"replicas: 3\n",
    }


def snapshot(history: History) -> dict[str, bytes]:
    """Every file of the repository, but the lock file."""
    return {
        str(path.relative_to(history.path)): path.read_bytes()
        for path in sorted(history.path.rglob("*"))
        if path.is_file() and path.name != "quarantine.lock"
    }


def flipped(data: bytes, position: int) -> bytes:
    """One bit is another."""
    return data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :]
