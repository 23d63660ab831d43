"""A publisher with releases to drop, and a site that holds them; what each side says of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from airstore.history import ledger
from airstore.history.ledger import Entry, Running
from airstore.ops.stores.directory import open_directory
from tests.support.product.road_parts import done
from tests.support.product.tiny_product import Tiny, make_layout, make_tiny

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")


def words(seed: str) -> str:
    """A layer's text that compresses badly, so that dropping it shows."""
    return Random(seed).randbytes(20_000).hex()  # noqa: S311


@dataclass(frozen=True)
class World:
    """Both sides.

    Attributes:
        tiny: the publisher, which has `VERSIONS`.
        site: holds all of them, imported one after the other.
    """

    tiny: Tiny
    site: Path

    @property
    def publisher(self) -> Path:
        return self.tiny.store

    @property
    def base(self) -> Path:
        return self.tiny.base

    def media(self, version: str) -> Path:
        """Full media of a release."""
        return self.base / f"full-{version}"

    def copied(self, to: Path) -> World:
        """The same elsewhere, to spoil."""
        shutil.copytree(self.base, to)
        return World(Tiny(to), to / "site")


def make_world(base: Path) -> World:
    """By the command line alone."""
    tiny = make_tiny(base)
    world = World(tiny, base / "site")
    for version in VERSIONS:
        make_layout(tiny.layout, text=words(version))
        assert tiny.create(version).code == 0
        done("-C", tiny.store, "media", "create", "--to", version, world.media(version))
    done("init", world.site, "--site", "acme", "--trust", tiny.store / "trust" / "root.json")
    for version in VERSIONS:
        done("-C", world.site, "media", "import", world.media(version))
    return world


def gc(store: Path, keep: int, *more: str) -> dict[str, Any]:
    """Run it; what it says."""
    found: dict[str, Any] = done("-C", store, "gc", "--keep", str(keep), *more, "-o", "json").json()
    return found


def kept(said: dict[str, Any]) -> dict[str, list[str]]:
    return {each["version"]: each["why"] for each in said["kept"]}


def dropped(said: dict[str, Any]) -> list[str]:
    return [each["version"] for each in said["dropped"]]


def states(store: Path) -> dict[str, str]:
    """Version to ``all``, ``collected`` or ``partly``."""
    rows = done("-C", store, "release", "list", "-o", "json").json()
    return {row["version"]: _state(row) for row in rows}


def _state(row: dict[str, Any]) -> str:
    if row["held"] == "all":
        return "all"
    return "collected" if row["collected"] else "partly"


def readable(store: Path, *versions: str) -> None:
    """Every blob of these releases reads back, and nothing in the store is damaged."""
    opened = open_directory(store)
    with opened.open_blobs() as blobs:
        for version in versions:
            for digest, blob in opened.history.release(version).blobs().items():
                assert sum(map(len, blobs.read(digest))) == blob.size
    done("-C", store, "check")


def helm_of(site: Path, version: str) -> Running:
    """The one Helm release of a release."""
    chart = open_directory(site).history.release(version).charts[0]
    return Running("app", "apps", chart.name, chart.version, str(chart.archive.digest), "kind: Pod\n")


def applied(site: Path, version: str, run: str = "", action: str = "apply", of: str = "") -> None:
    """A line in the site's ledger; ``of``: whose chart it was, where that is not the version's own."""
    running = () if action == "uninstall" else (helm_of(site, of or version),)
    entry = Entry(action, version, "succeeded", 1_767_225_600, {"run": run} if run else {}, running)
    store = open_directory(site)
    ledger.record(store.history, entry, store.author)


def packs_bytes(store: Path) -> int:
    return sum(path.stat().st_size for path in (store / "packs").iterdir())
