"""Who makes media says nothing of who may read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.product.road_parts import Road, done


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
