"""A store or a carrier that belongs to somebody else: said, with the file, and never as a bug."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.product.road_parts import (
    Outcome,
    Road,
    airstore,
    done,
    environment,
    leftovers,
    refused,
    snapshot,
)

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

NOBODY = 65534
READING = [
    ("check",),
    ("log",),
    ("release", "list"),
    ("release", "verify"),
    ("release", "diff", "1.0.0", "1.0.0"),
    ("history",),
]


def as_nobody(*words: str | Path) -> Outcome:
    command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", sys.executable]
    variables = {**os.environ, **environment(), "HOME": "/nonexistent"}
    ended = subprocess.run(
        [*command, "-m", "airstore", *map(str, words)],
        capture_output=True,
        text=True,
        env=variables,
        check=False,
        timeout=60,
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def shared(road: Road) -> Iterator[Path]:
    """A place that every user gets at, with a site of root's and media of everybody's in it."""
    place = Path("/var/tmp") / f"airstore-test-{os.getpid()}"  # pytest's own directories are closed to others
    place.mkdir(mode=0o755)
    try:
        shutil.copytree(road.site, place / "site")
        shutil.copytree(road.delta, place / "media")
        shutil.copytree(road.full, place / "full")
        yield place
    finally:
        shutil.rmtree(place)


@contextmanager
def closed(path: Path) -> Iterator[None]:
    mode = path.stat().st_mode
    path.chmod(0o700 if path.is_dir() else 0o600)
    try:
        yield
    finally:
        path.chmod(mode)


@pytest.mark.parametrize(
    "part", ["airstore.json", "trust", "trust/state.json", "history.git", "packs", "keys"]
)
def test_a_part_of_the_store_that_is_closed_is_no_bug(part: str, shared: Path) -> None:
    with closed(shared / "site" / part):
        for words in (*READING, ("media", "import", shared / "media"), ("receipt",)):
            outcome = as_nobody("-C", shared / "site", *words)
            assert outcome.code not in {0, 1}, (words, outcome)
            assert "Traceback" not in outcome.err, (words, outcome)
            assert (
                "run airstore as the owner of the store" in outcome.err + outcome.out or "site" in outcome.err
            )


@pytest.mark.parametrize("part", ["full/packs", "media/packs", "media/index.json", "media/history.bundle"])
def test_a_part_of_the_media_that_is_closed_is_no_bug(part: str, shared: Path) -> None:
    with closed(shared / part):
        outcome = as_nobody("media", "verify", (shared / part).parent)
        assert outcome.code in {20, 21, 41}, outcome
        assert Path(part).name in outcome.err
        assert "Traceback" not in outcome.err


def test_a_store_on_a_read_only_disk_can_be_read(road: Road, tmp_path: Path) -> None:
    """Auditors get a snapshot; nothing of reading writes."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], check=True)
    try:
        site = shutil.copytree(road.site, place / "site")
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        before = snapshot(site)
        for words in (*READING, ("receipt",)):
            done("-C", site, *words)
        command = [sys.executable, "-m", "airstore", "-C", str(site), "media", "import", str(road.delta)]
        variables = {**os.environ, **environment()}
        ended = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
        refused(Outcome(ended.returncode, ended.stdout, ended.stderr), 41, "Read-only file system")
        assert snapshot(site) == before
        assert leftovers(site) == []
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_store_of_somebody_else_is_not_called_damaged(shared: Path) -> None:
    for path in (shared / "site", *(shared / "site").rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    for words in READING:
        outcome = airstore("-C", shared / "site", *words)
        refused(outcome, 41, "belongs to another user", "hint: run airstore as the owner of the store")
        assert "import full media" not in outcome.err
