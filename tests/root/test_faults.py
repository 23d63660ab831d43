"""What takes root: a disk that really fills up, and processes killed at the N-th fsync or rename.

Every point takes some seconds, and there are 200: CI takes every third, AIRSTORE_KILL_EVERY=1 all of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    environment,
    leftovers,
    refused,
    snapshot,
    sound,
)
from tests.support.product.tiny_product import Tiny, make_layout, make_tiny

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

KIB = 1 << 10
_EVERY = int(os.environ.get("AIRSTORE_KILL_EVERY", "3"))
CALLS = {"fsync": ("fsync,fdatasync", 2), "rename": ("rename,renameat,renameat2", 1)}


@contextmanager
def tmpfs(place: Path, size: int) -> Iterator[None]:
    """A file system of ``size`` bytes."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def used(directory: Path) -> int:
    """Bytes that a copy takes on a tmpfs, pages counted whole."""
    pages = [-(-path.stat().st_size // 4096) for path in directory.rglob("*") if path.is_file()]
    return 4096 * sum(pages)


@pytest.mark.parametrize("slack", [-64, 0, 16, 48, 96, 160])
def test_an_import_onto_a_disk_that_fills_up(slack: int, road: Road, tmp_path: Path) -> None:
    """KiB more than media and store take: too few at the start, in the quarantine, or in the index."""
    size = used(road.site) + used(road.full_new) + slack * KIB
    with tmpfs(tmp_path / "small", size):
        site = shutil.copytree(road.site, tmp_path / "small" / "site")
        before = snapshot(site)
        outcome = airstore("-C", site, "media", "import", road.full_new)
        if outcome.code:
            refused(outcome, 41, "hint: free some space")
            assert {name for name in before if name != "index.sqlite"} <= set(snapshot(site))
            remount = ["mount", "-o", f"remount,size={size + (8 << 20)}", str(tmp_path / "small")]
            subprocess.run(remount, check=True)
            done("-C", site, "check")
            assert done("-C", site, "release", "show", "1.0.0", "-o", "json").json()["version"] == "1.0.0"
            done("-C", site, "media", "import", road.full_new)
        else:
            assert slack > 48
        assert leftovers(site) == []
        sound(site, "1.0.0", "1.1.0")


def test_a_disk_without_any_room_leaves_a_store_that_reads(road: Road, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", used(road.site) + 256 * KIB):
        site = shutil.copytree(road.site, tmp_path / "small" / "site")
        before = snapshot(site)
        fill(tmp_path / "small" / "ballast")
        refused(airstore("-C", site, "media", "import", road.delta), 41, "hint: free some space")
        assert snapshot(site) == before
        sound(site, "1.0.0")
        (tmp_path / "small" / "ballast").unlink()
        done("-C", site, "media", "import", road.delta)
        sound(site, "1.0.0", "1.1.0")


def fill(ballast: Path) -> None:
    """Take every byte that is left."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(KIB))


def injected(call: str, nth: int, *words: str | Path) -> int:
    """Run a command whose processes are killed as they enter their N-th such system call."""
    names, _ = CALLS[call]
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={names}"]
    kill = ["-e", f"inject={names}:signal=KILL:when={nth}"]
    command = [*strace, *kill, sys.executable, "-m", "airstore", *map(str, words)]
    ended = subprocess.run(
        command, capture_output=True, env={**os.environ, **environment()}, check=False, timeout=120
    )
    assert ended.returncode in {0, 41, -9, 137}, ended
    return ended.returncode


def until_it_succeeds(call: str, attempt: Callable[[int], int]) -> None:
    """Kill at the first call, then later and later, until the command gets through."""
    _, stride = CALLS[call]
    for nth in range(1, 400, stride * _EVERY):
        if attempt(nth) == 0:
            assert nth > 1, "nothing was killed"
            return
    raise AssertionError("it never got through")


@pytest.mark.parametrize("call", CALLS)
def test_an_import_killed_at_any_call_is_finished_by_the_next(call: str, road: Road, tmp_path: Path) -> None:
    def attempt(nth: int) -> int:
        site = shutil.copytree(road.site, tmp_path / f"site-{nth}")
        code = injected(call, nth, "-C", site, "media", "import", road.delta)
        done("-C", site, "check")
        done("-C", site, "release", "show", "1.0.0")
        done("-C", site, "media", "import", road.delta)
        sound(site, "1.0.0", "1.1.0")
        assert leftovers(site) == []
        shutil.rmtree(site)
        return code

    until_it_succeeds(call, attempt)


@pytest.mark.parametrize("call", CALLS)
def test_a_release_killed_at_any_call_is_finished_by_the_next(call: str, helm4: Path, tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path / "tiny")
    assert tiny.create("1.0.0").code == 0
    make_layout(tiny.layout, text="another")

    def attempt(nth: int) -> int:
        tried = Tiny(shutil.copytree(tiny.base, tmp_path / f"tiny-{nth}"))
        code = injected(call, nth, "-C", tried.store, "release", "create", "--version", "1.1.0")
        done("-C", tried.store, "check")
        done("-C", tried.store, "release", "show", "1.0.0")
        assert tried.create("1.1.0").code == 0
        sound(tried.store, "1.0.0", "1.1.0")
        assert leftovers(tried.store) == []
        shutil.rmtree(tried.base)
        return code

    until_it_succeeds(call, attempt)


def test_an_init_killed_at_any_call_is_finished_by_the_next(road: Road, tmp_path: Path) -> None:
    def attempt(nth: int) -> int:
        site = tmp_path / f"site-{nth}"
        words = ("init", site, "--site", "acme", "--trust", road.root)
        code = injected("rename", nth, *words)
        if code:
            refused(airstore("-C", site, "release", "list"), 10, "is not an airstore store")
            done(*words)
        done("-C", site, "media", "import", road.full)
        sound(site, "1.0.0")
        return code

    until_it_succeeds("rename", attempt)


def test_media_killed_at_any_call_are_not_there(road: Road, tmp_path: Path) -> None:
    def attempt(nth: int) -> int:
        out = tmp_path / f"out-{nth}" / "media"
        words = ("-C", road.publisher, "media", "create", "--to", "1.1.0", "--from", "1.0.0", out)
        code = injected("fsync", nth, *words)
        if not out.exists():
            done(*words)
        assert snapshot(out) == snapshot(road.delta)
        return code

    until_it_succeeds("fsync", attempt)
