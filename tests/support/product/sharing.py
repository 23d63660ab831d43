"""A publisher's store that several share: a bare git repository, a repository in a registry, and clones."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.product.road_parts import Outcome, airstore, done
from tests.support.product.tiny_product import Tiny, make_layout


@dataclass(frozen=True)
class Shared:
    """Where a tiny product is shared, and the machine that shared it first."""

    base: Path
    tiny: Tiny
    git: str
    objects: str

    @property
    def store(self) -> Path:
        """The first machine's."""
        return self.tiny.store

    @property
    def root(self) -> Path:
        return self.tiny.store / "trust" / "root.json"

    @property
    def bare(self) -> Path:
        """The git server's repository."""
        return self.base / "history.git"

    @property
    def places(self) -> Sequence[str]:
        return ("--git", self.git, "--objects", self.objects, "--plain-http")

    def clone(self, name: str, *more: str) -> Path:
        """Another machine's store, with the product file beside it and the release key within it."""
        directory = self.base / name
        shutil.copytree(self.tiny.base, directory, ignore=shutil.ignore_patterns("store"))
        done(*self.cloning(directory / "store", *more))
        for file in ("release", "release.pub"):
            shutil.copy2(self.tiny.store / "keys" / file, directory / "store" / "keys" / file)
        return directory / "store"

    def cloning(self, directory: Path, *more: str) -> tuple[str, ...]:
        file = directory.parent / "airstore.yaml"
        product = ("--product", str(file)) if file.exists() else ()
        return ("clone", str(directory), *self.places, "--trust", str(self.root), *product, *more)

    def commits(self) -> list[str]:
        """The git server's main, newest first."""
        return git("-C", self.bare, "rev-list", "main").split()


def share(tiny: Tiny, base: Path, host: str, repository: str) -> Shared:
    """A bare repository beside a registry that runs, and a remote that names both."""
    bare = base / "history.git"
    git("init", "--quiet", "--bare", "--initial-branch=main", bare)
    shared = Shared(base, tiny, f"file://{bare}", f"oci://{host}/{repository}")
    done("-C", tiny.store, "remote", "add", "origin", *shared.places)
    return shared


def release(store: Path, version: str, text: str = "") -> Outcome:
    """Make a release whose image has the text; without one, the image is what it was."""
    if text:
        make_layout(store.parent / "images", text=text)
    return airstore("-C", store, "release", "create", "--version", version)


def git(*words: str | Path) -> str:
    return subprocess.run(["git", *map(str, words)], check=True, capture_output=True, text=True).stdout


def versions(store: Path) -> list[str]:
    return [row["version"] for row in done("-C", store, "release", "list", "-o", "json").json()]
