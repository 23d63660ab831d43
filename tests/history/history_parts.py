"""What the tests of the history share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.core.durable import LocalDisk
from airstore.core.errors import AirstoreError
from airstore.core.model.release import Release
from airstore.history.exchange.bundle import Quarantine
from airstore.history.git.header import BundleHeader
from airstore.history.git.program import Git
from airstore.history.repository import History

AUTHOR = ("Release Bot", "release@shop.example")
WHEN = 1_760_000_000
Sign = Callable[[bytes], str]
Run = Callable[..., subprocess.CompletedProcess[str]]
Publish = Callable[..., str]
MAIN = "refs/heads/main"


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


def take(live: History, bundle: Path) -> None:
    with Quarantine(live, bundle) as quarantine:
        quarantine.commit()


def versions(history: History) -> list[str]:
    return [release.version for release in history.releases()]


def refused(
    live: History, bundle: Path, family: type[AirstoreError], match: str | None = None, limit: int = 1 << 30
) -> None:
    before = snapshot(live)
    with pytest.raises(family, match=match):
        Quarantine(live, bundle, limit=limit)
    assert snapshot(live) == before
    assert not (live.path / "quarantine").exists()


class FullDisk(LocalDisk):
    """A disk that fails at the n-th file it should publish."""

    def __init__(self, good: int) -> None:
        self.good = good

    def publish(self, temporary: Path, final: Path) -> None:
        self.good -= 1
        if self.good < 0:
            raise OSError(28, os.strerror(28), str(final))
        super().publish(temporary, final)


class Forge:
    """Makes a bundle of objects that git itself would not write."""

    def __init__(self, path: Path, git: Run) -> None:
        self.path = path
        self._git = git
        git("init", "-q", "--bare", path)

    def store(self, kind: str, data: bytes) -> str:
        command = ("-C", self.path, "hash-object", "-w", "--literally", "--stdin", "-t", kind)
        return self._git(*command, stdin=data).stdout.strip()

    def tree(self, *entries: tuple[str, str, str]) -> str:
        return self.store(
            "tree", b"".join(b"%s %s\0%s" % (m.encode(), n.encode(), bytes.fromhex(o)) for m, n, o in entries)
        )

    def commit(self, tree: str, *parents: str, extra: str = "") -> str:
        who = f"A <a@b> {WHEN} +0000"
        lines = [
            f"tree {tree}",
            *(f"parent {parent}" for parent in parents),
            f"author {who}",
            f"committer {who}",
        ]
        return self.store("commit", ("\n".join(lines) + f"\n{extra}\nm\n").encode())

    def tag(self, target: str, name: str = "1.0.0", kind: str = "commit") -> str:
        who = f"A <a@b> {WHEN} +0000"
        return self.store("tag", f"object {target}\ntype {kind}\ntag {name}\ntagger {who}\n\nm\n".encode())

    def bundle(self, refs: dict[str, str], out: Path) -> Path:
        with out.open("wb") as file:
            file.write(BundleHeader((), refs).to_bytes())
            Git().pack(self.path, refs.values(), (), file.write)
        return out
