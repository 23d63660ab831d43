"""Both sides of the road through the real command line: run, compare stores, take apart what was said."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from airstore.cli.main import exit_code
from airstore.ops.stores.directory import open_directory
from airstore.trust.ssh.keys import PrivateKey
from scripts.images import fixture_images
from tests.support.product.output_documents import said

FIXTURES = Path(__file__).parents[3] / "fixtures"
WHEN = "1767225600"  # 2026-01-01; every commit of these tests is made then
NEVER = 1 << 30
LOCKS = frozenset({"lock", "packs.lock", "history.git/quarantine.lock"})
CACHE = "verified.json"  # what a store finds out again when it is asked; which commands do is tested apart
NO_ENVIRONMENT: Mapping[str, str] = {}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self
        return said(self.out)


@dataclass(frozen=True)
class Road:
    """A publisher with releases 1.0.0 and 1.1.0, its media, and a site that holds 1.0.0."""

    base: Path

    @property
    def publisher(self) -> Path:
        return self.base / "publisher"

    @property
    def product(self) -> Path:
        """The product file as it is for 1.1.0."""
        return self.base / "product" / "airstore.yaml"

    @property
    def site(self) -> Path:
        return self.base / "site"

    @property
    def new_site(self) -> Path:
        """A site that was enrolled and has imported nothing yet."""
        return self.base / "new-site"

    @property
    def full(self) -> Path:
        return self.base / "full-1.0.0"

    @property
    def delta(self) -> Path:
        return self.base / "delta-1.1.0"

    @property
    def full_new(self) -> Path:
        return self.base / "full-1.1.0"

    @property
    def root(self) -> Path:
        return self.publisher / "trust" / "root.json"

    @property
    def key(self) -> PrivateKey:
        return PrivateKey.load(self.publisher / "keys" / "release")

    def copied(self, directory: Path) -> Road:
        """The same road elsewhere, to damage; the publisher finds its product file beside it."""
        shutil.copytree(self.base, directory, symlinks=True, ignore=under_construction)
        return replace(self, base=directory)


def under_construction(directory: str, names: list[str]) -> list[str]:
    """What a copy of a store leaves out: commands of other workers may run on the one that is shared."""
    return names if Path(directory).name == "tmp" else []


def environment(more: Mapping[str, str] = NO_ENVIRONMENT) -> dict[str, str]:
    """What commands of these tests see besides the machine's own variables."""
    return {"SOURCE_DATE_EPOCH": WHEN, "AIRSTORE_HELM": shutil.which("helm4") or "", **more}


def airstore(*words: str | Path, env: Mapping[str, str] = NO_ENVIRONMENT) -> Outcome:
    """Run one command in this process; a bug's traceback fails the test by itself."""
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.dict(os.environ, environment(env)), redirect_stdout(out), redirect_stderr(err):
        code = exit_code(list(map(str, words)))
    return Outcome(code, out.getvalue(), err.getvalue())


def done(*words: str | Path, env: Mapping[str, str] = NO_ENVIRONMENT) -> Outcome:
    """Run one command that has to succeed."""
    outcome = airstore(*words, env=env)
    assert outcome.code == 0, (words, outcome)
    return outcome


def process(
    *words: str | Path, env: Mapping[str, str] = NO_ENVIRONMENT, **options: Any
) -> subprocess.Popen[str]:
    """Start one command as users do."""
    command = [sys.executable, "-m", "airstore", *map(str, words)]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**os.environ, **environment(env)}, **{**pipe, **options})


def separately(*words: str | Path, env: Mapping[str, str] = NO_ENVIRONMENT) -> Outcome:
    """Run one command in a process of its own."""
    with process(*words, env=env) as running:
        out, err = running.communicate(timeout=100)
    return Outcome(running.returncode, out, err)


def refused(outcome: Outcome, code: int, *words: str) -> None:
    """One clear error with every one of ``words`` in it, and nothing that looks like a result or a bug."""
    assert outcome.code == code, outcome
    assert outcome.out == "", outcome
    lines = outcome.err.splitlines()
    assert [line.startswith("airstore: ") for line in lines].count(True) == 1, outcome
    assert "Traceback" not in outcome.err, outcome
    for word in words:
        assert word in outcome.err, (word, outcome.err)


def snapshot(directory: Path) -> dict[str, str]:
    """Path to SHA-256 of every file but those in ``tmp/``; lock files appear upon use and are empty."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if name in LOCKS:
            assert path.stat().st_size == 0
        elif path.is_file() and not name.startswith("tmp/") and name != CACHE:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@contextmanager
def unchanged(store: Path, *, tmp: bool = False) -> Iterator[None]:
    """The store is byte for byte what it was; ``tmp`` allows what an interrupted copy left for later."""
    before = snapshot(store)
    yield
    assert snapshot(store) == before
    assert tmp or leftovers(store) == []


def leftovers(store: Path) -> list[str]:
    return sorted(path.name for path in (store / "tmp").iterdir())


def sound(store: Path, *versions: str) -> None:
    """Everything reads back, every signature holds, and these releases are there, oldest first."""
    done("-C", store, "check")
    assert [row["version"] for row in done("-C", store, "release", "list", "-o", "json").json()] == [
        *versions
    ]


def overwrite(path: Path, data: bytes) -> None:
    """Write a file that may be read-only."""
    path.chmod(0o644)
    path.write_bytes(data)


def rewrite(path: Path, edit: Callable[[bytes], bytes]) -> None:
    """Edit such a file."""
    overwrite(path, edit(path.read_bytes()))


def flipped(data: bytes, position: int, bit: int = 4) -> bytes:
    return data[:position] + bytes([data[position] ^ bit]) + data[position + 1 :]


def media_files(media: Path) -> list[str]:
    return sorted(path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file())


def pack_of(directory: Path) -> Path:
    """The largest pack of media or of a store."""
    return max((directory / "packs").iterdir(), key=lambda path: path.stat().st_size)


def delta_of(media: Path) -> Path:
    """The delta on media that carry one."""
    (found,) = (media / "packs").glob("*.delta")
    return found


def release_blobs(store: Path, version: str) -> set[str]:
    return {str(digest) for digest in open_directory(store).history.release(version).blobs()}


def make_product(directory: Path, version: str) -> Path:
    """The fixture product with the images of that version; returns the product file."""
    shutil.copytree(FIXTURES / "shop", directory, dirs_exist_ok=True)
    if version != "1.0.0":
        shutil.copytree(FIXTURES / f"shop-{version.removesuffix('.0')}", directory, dirs_exist_ok=True)
    layout = directory / "build" / "images"
    shutil.rmtree(layout, ignore_errors=True)
    fixture_images.build(layout, fixture_images.read_list(directory / "images.txt"))
    return directory / "airstore.yaml"


def build_road(base: Path) -> Road:
    """Everything once, by the command line alone."""
    road = Road(base)
    base.mkdir(parents=True)
    make_product(base / "product", "1.0.0")
    done("init", road.publisher, "--product", road.product)
    publisher = ("-C", road.publisher)
    done(*publisher, "key", "generate", "release")
    done(*publisher, "release", "create", "--version", "1.0.0")
    make_product(base / "product", "1.1.0")
    done(*publisher, "release", "create", "--version", "1.1.0")
    # As packs, which sites without deltas read; the others are what is made by default.
    done(*publisher, "media", "create", "--to", "1.0.0", "--effort", "none", road.full)
    done(*publisher, "media", "create", "--to", "1.1.0", "--from", "1.0.0", road.delta)
    done(*publisher, "media", "create", "--to", "1.1.0", road.full_new)
    for site in (road.new_site, road.site):
        done("init", site, "--site", "acme", "--trust", road.root)
    done("-C", road.site, "media", "import", road.full)
    return road


def write_site_file(site: Path, more: str = "") -> None:
    """All that the fixture product binds."""
    (site / "site.yaml").write_text(
        "apiVersion: airstore/v1\nkind: Site\nregistry: {host: registry.acme.example}\n"
        f"vars: {{hostname: shop.acme.example, storageClass: fast}}\n{more}"
    )
