"""Stores and keys: made whole, guarded by a lock, told apart by side, opened with the right passphrase."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airstore.trust.ssh.keys import PrivateKey
from tests.support.product.road_parts import (
    LOCKS,
    Road,
    airstore,
    done,
    overwrite,
    refused,
    separately,
    snapshot,
    sound,
    unchanged,
    write_site_file,
)

pytestmark = pytest.mark.slow

_HOLD = """\
import sys
from pathlib import Path
from airstore.core.durable import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Another process holds a lock."""
    command = [sys.executable, "-c", _HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.communicate(timeout=30)


@pytest.mark.parametrize("lock", sorted(LOCKS))
def test_a_locked_store_is_left_alone(lock: str, road: Road, site: Path) -> None:
    with unchanged(site, tmp=True), held(site / lock):
        refused(airstore("-C", site, "media", "import", road.delta), 11, "another airstore process", "hint: ")
        sound(site, "1.0.0")  # readers do not wait
    done("-C", site, "media", "import", road.delta)
    sound(site, "1.0.0", "1.1.0")


def test_a_locked_publisher_makes_no_release(own_road: Road) -> None:
    words = ("-C", own_road.publisher, "release", "create", "--version", "1.2.0")
    with unchanged(own_road.publisher), held(own_road.publisher / "lock"):
        refused(airstore(*words), 11, "another airstore process", str(own_road.publisher))
        assert separately(*words).code == 11
    done(*words)


def test_commands_know_their_side(own_road: Road, site: Path, tmp_path: Path) -> None:
    publisher_only = [
        ("release", "create", "--version", "9"),
        ("images", "find"),
        ("media", "create", "--to", "1.0.0", tmp_path / "out"),
        ("key", "generate", "more"),
        ("site", "add", "b", site / "keys" / "site.pub"),
        ("site", "list"),
    ]
    site_only = [("media", "import", own_road.full), ("plan",), ("receipt",), ("history",)]
    with unchanged(site):
        for words in publisher_only:
            refused(airstore("-C", site, *words), 2, "for a publisher", "store of a site")
    with unchanged(own_road.publisher):
        for words in site_only:
            refused(airstore("-C", own_road.publisher, *words), 2, "for a site", "store of a publisher")


def test_what_is_no_store_is_not_opened(road: Road, tmp_path: Path) -> None:
    commands = [
        ("check",),
        ("release", "list"),
        ("log",),
        ("media", "import", road.full),
        ("media", "verify", road.full),
        ("receipt",),
        ("registry", "push", "localhost:1"),
        ("key", "list"),
    ]
    for place in (tmp_path, tmp_path / "nowhere", road.full):
        for words in commands:
            refused(airstore("-C", place, *words), 10, "is not an airstore store", "hint: ")
    assert list(tmp_path.iterdir()) == []


def test_init_makes_nothing_in_a_place_that_is_in_use(road: Road, tmp_path: Path) -> None:
    used = tmp_path / "used"
    used.mkdir()
    (used / "file").write_text("mine")
    for words in (("--product", road.product), ("--site", "acme", "--trust", road.root)):
        refused(airstore("init", used, *words), 2, "not empty", "hint: ")
        refused(airstore("init", road.publisher, *words), 2, "is a store already")
        refused(airstore("init", used / "file", *words), 41, "file")
    assert [path.name for path in used.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "words", [(), ("--site", "acme"), ("--trust", "r"), ("--product", "p", "--site", "acme", "--trust", "r")]
)
def test_init_is_told_which_side(words: tuple[str, ...], tmp_path: Path) -> None:
    refused(airstore("init", tmp_path / "s", *words), 2, "--product", "--site", "--trust")
    assert not (tmp_path / "s").exists()


def test_init_of_a_place_that_exists_and_is_empty(road: Road, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    done("init", tmp_path / "s", "--site", "acme", "--trust", road.root)
    done("-C", tmp_path / "s", "media", "import", road.full)


def test_a_killed_init_is_simply_run_again(road: Road, tmp_path: Path) -> None:
    """Its configuration comes last: whatever an earlier run left, the next one finishes."""
    whole = tmp_path / "whole"
    done("init", whole, "--site", "acme", "--trust", road.root)
    parts = [
        "packs",
        "tmp",
        "index.sqlite",
        "history.git",
        "trust/root.json",
        "trust/state.json",
        "keys/site",
    ]
    for count in range(len(parts) + 1):
        half = tmp_path / f"half-{count}"
        half.mkdir()
        for part in parts[:count]:
            (half / part).parent.mkdir(parents=True, exist_ok=True)
            source = whole / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, half / part)
        (half / ".history-abc").mkdir()
        refused(airstore("-C", half, "release", "list"), 10, "is not an airstore store")
        done("init", half, "--site", "acme", "--trust", road.root)
        done("-C", half, "media", "import", road.full)
        sound(half, "1.0.0")
        public = PrivateKey.load(half / "keys" / "site").public.openssh("acme")
        assert (half / "keys" / "site.pub").read_text() == f"{public}\n"


def test_a_store_can_be_moved(own_road: Road, tmp_path: Path) -> None:
    """Nothing in it names the place where it was."""
    moved = own_road.site.rename(tmp_path / "moved")
    done("-C", moved, "media", "import", own_road.delta)
    sound(moved, "1.0.0", "1.1.0")
    for path in moved.rglob("*"):
        if path.is_file():
            assert str(own_road.base).encode() not in path.read_bytes(), path


def test_media_go_to_a_new_place(own_road: Road, tmp_path: Path) -> None:
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.0.0", "--effort", "none")
    used = tmp_path / "used"
    used.mkdir()
    (used / "mine").write_text("x")
    (tmp_path / "link").symlink_to(used)
    with unchanged(own_road.publisher):
        for out in (used, used / "mine", own_road.full, tmp_path / "link"):
            refused(airstore(*words, out), 2, "exists already", "hint: ")
        refused(airstore(*words, used / "mine" / "below"), 41, "mine")
        refused(
            airstore("-C", own_road.publisher, "media", "create", "--to", "7.7.7", tmp_path / "x"),
            10,
            "1.1.0",
        )
        refused(airstore(*words, "--from", "7.7.7", tmp_path / "x"), 10, "7.7.7", "1.1.0")
        refused(airstore(*words, "--from", "1.0.0", tmp_path / "x"), 31, "nothing to bring")
        refused(airstore(*words, "--from", "1.1.0", tmp_path / "x"), 31, "nothing to bring")
        both = ("--from", "1.0.0", "--receipt", used / "mine")
        refused(airstore(*words, *both, tmp_path / "x"), 30, "knows no site")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", own_road.base.name, "used"]
    assert [path.name for path in used.iterdir()] == ["mine"]
    (tmp_path / "empty").mkdir()
    done(*words, tmp_path / "empty")
    done(*words, tmp_path / "new" / "deep")
    assert snapshot(tmp_path / "empty") == snapshot(tmp_path / "new" / "deep") == snapshot(own_road.full)


def test_a_publisher_that_lacks_blobs_makes_no_media(own_road: Road, tmp_path: Path) -> None:
    largest = max((own_road.publisher / "packs").iterdir(), key=lambda path: path.stat().st_size)
    largest.unlink()
    (own_road.publisher / "index.sqlite").unlink()
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.1.0")
    refused(airstore(*words, tmp_path / "out"), 21, "lacks", "1.1.0", "hint: ")
    assert not (tmp_path / "out").exists()
    assert airstore("-C", own_road.publisher, "check").code == 20


def test_media_of_a_damaged_publisher_are_not_made(own_road: Road, tmp_path: Path) -> None:
    """Read and verified on the way out: no damage is signed."""
    for pack in (own_road.publisher / "packs").iterdir():
        data = bytearray(pack.read_bytes())
        data[len(data) // 3] ^= 1
        overwrite(pack, bytes(data))
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.1.0", tmp_path / "out")
    refused(airstore(*words), 20)
    assert [path.name for path in tmp_path.iterdir()] == ["road"]


def test_unknown_releases_are_named_with_those_there_are(road: Road, site: Path) -> None:
    write_site_file(site)
    with unchanged(site):
        for words in (
            ("release", "show", "9.9.9"),
            ("release", "diff", "1.0.0", "9.9.9"),
            ("release", "verify", "9.9.9"),
            ("plan", "--release", "9.9.9"),
            ("plan", "--compare", "9.9.9"),
            ("registry", "push", "localhost:1", "--release", "9.9.9"),
        ):
            refused(airstore("-C", site, *words), 10, "'9.9.9'", "1.0.0")


def test_an_empty_site_says_what_to_do(road: Road, new_site: Path) -> None:
    for words in (("plan",), ("registry", "push", "localhost:1"), ("release", "verify")):
        refused(airstore("-C", new_site, *words), 10, "holds no release yet")
    assert done("-C", new_site, "release", "list", "-o", "json").json() == []
    assert done("-C", new_site, "log", "-o", "json").json() == []
    assert "no releases yet" in done("-C", new_site, "log").out
    sound(new_site)
