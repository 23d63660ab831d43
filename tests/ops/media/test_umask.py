"""Who makes media says nothing of who may read them, and whoever makes a store lets not everybody write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.product.road_parts import Road, done

pytestmark = pytest.mark.slow


# Any umask but those that shut out the owner: no ordinary user could write into directories of their own.
@pytest.mark.parametrize("umask", [0o077, 0o027, 0o000])
def test_media_are_open_to_whoever_carries_them(umask: int, road: Road, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        done("-C", road.publisher, "media", "create", "--to", "1.0.0", tmp_path / "media")
    finally:
        os.umask(before)
    modes = {
        path: path.stat().st_mode & 0o777 for path in (tmp_path / "media", *tmp_path.rglob("media/**/*"))
    }
    assert len(modes) > 3
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o755}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o444}


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o027])
def test_nobody_else_may_write_into_a_store(umask: int, tmp_path: Path) -> None:
    """A group may where its umask says so; git's own files come with whatever is allowed."""
    product = "apiVersion: airstore/v1\nkind: Product\nname: shop\ncharts: []\nreleases: []\n"
    (tmp_path / "airstore.yaml").write_text(product)
    command = [sys.executable, "-m", "airstore", "init", "store", "--product", "airstore.yaml"]
    subprocess.run(command, cwd=tmp_path, umask=umask, check=True, capture_output=True)
    made = [path for path in (tmp_path / "store").rglob("*") if not path.is_symlink()]
    assert len(made) > 10
    assert [path for path in made if path.stat().st_mode & 0o002] == []
    assert any(path.stat().st_mode & 0o020 for path in made) == (umask != 0o027)
    assert (tmp_path / "store" / "history.git").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_history_is_for_its_owner_alone(umask: int, road: Road, tmp_path: Path) -> None:
    """What an older version left open is closed by the next command that writes, and by none that reads."""
    site = tmp_path / "site"
    before = os.umask(umask)
    try:
        done("init", site, "--site", "acme", "--trust", road.publisher / "trust" / "root.json")
        assert (site / "history.git").stat().st_mode & 0o777 == 0o700
        (site / "history.git").chmod(0o755)
        done("-C", site, "release", "list")
        assert (site / "history.git").stat().st_mode & 0o777 == 0o755
        done("-C", site, "media", "import", road.full)
    finally:
        os.umask(before)
    assert (site / "history.git").stat().st_mode & 0o777 == 0o700
