"""Media in volumes: every byte on one of them, imported in any order, and what is missing is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.cli.options.sizes import Size
from airstore.core.errors import DamagedError, UsageError
from airstore.core.image.digest import Digest
from airstore.core.limits import KIB
from airstore.media.volumes import slices
from airstore.media.volumes.slices import CLUSTER, LARGEST, SMALLEST, FileSpan, Slice
from tests.support.faults.forged_media import payload_of
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    leftovers,
    refused,
    release_blobs,
    unchanged,
)

ANY = Digest.of(b"")
sizes = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.integers(1, 1 << 24), min_size=1, max_size=6
)


def rounded(size: int) -> int:
    return -(-size // CLUSTER) * CLUSTER


@given(sizes=sizes, volume=st.integers(SMALLEST, 1 << 22), reserved=st.integers(0, SMALLEST - 2 * CLUSTER))
def test_every_byte_lies_on_one_volume_and_no_volume_is_overfull(
    sizes: dict[str, int], volume: int, reserved: int
) -> None:
    planned = slices.plan(sizes, volume, reserved)
    slices.check([[Slice(*span, digest=ANY) for span in spans] for spans in planned], sizes, "index")
    for spans in planned:
        assert spans
        assert rounded(reserved) + sum(rounded(span.size) for span in spans) <= volume


@given(sizes=sizes, drop=st.integers(0), data=st.data())
def test_slices_that_do_not_make_up_the_files_are_damage(
    sizes: dict[str, int], drop: int, data: st.DataObject
) -> None:
    cut = [Slice(*span, digest=ANY) for spans in slices.plan(sizes, SMALLEST, 0) for span in spans]
    chosen = cut.pop(drop % len(cut))
    wrong = data.draw(
        st.sampled_from(
            [
                [],
                [chosen, chosen],
                [Slice(chosen.path, chosen.offset + 1, chosen.size, ANY)],
                [Slice(chosen.path, chosen.offset, chosen.size + 1, ANY)],
                [Slice("other", chosen.offset, chosen.size, ANY)],
            ]
        )
    )
    with pytest.raises(DamagedError):
        slices.check([[*cut, *wrong]], sizes, "index")


def test_no_slice_is_larger_than_what_fat32_holds() -> None:
    planned = slices.plan({"a": 5 << 30}, 64 << 30, 0)
    assert planned == [
        [FileSpan("a", 0, LARGEST), FileSpan("a", LARGEST, LARGEST), FileSpan("a", 2 * LARGEST, 1 << 30)]
    ]


def test_a_volume_without_room_for_the_index_is_refused() -> None:
    with pytest.raises(UsageError, match="too small"):
        slices.plan({"a": 1}, SMALLEST, SMALLEST)


@pytest.fixture
def volumes(road: Road, tmp_path: Path) -> list[Path]:
    out = tmp_path / "out"
    done("-C", road.publisher, "media", "create", "--to", "1.1.0", "--volume-size", "512K", out)
    return sorted(out.iterdir())


def test_volumes_are_imported_together(road: Road, volumes: list[Path], tmp_path: Path) -> None:
    site = shutil.copytree(road.new_site, tmp_path / "site")
    assert len(volumes) > 2
    done("media", "verify", volumes[0].parent, "--trust", road.root)
    done("-C", site, "media", "import", volumes[0].parent)
    assert release_blobs(site, "1.1.0") == release_blobs(road.publisher, "1.1.0")
    done("-C", site, "check")


def test_volumes_come_one_after_the_other_in_any_order(
    road: Road, volumes: list[Path], tmp_path: Path
) -> None:
    """Each is gone again when the next one is there, as with one drive bay."""
    site = shutil.copytree(road.new_site, tmp_path / "site")
    drive = tmp_path / "drive"
    last, *order = [len(volumes) - 1, *range(len(volumes) - 1)]
    for here in (last, *order[:-1]):
        shutil.copytree(volumes[here], drive)
        refused(airstore("-C", site, "media", "import", drive), 21, "not at hand; what is at hand was copied")
        shutil.rmtree(drive)
    outcome = airstore("-C", site, "media", "import", volumes[last])
    refused(outcome, 21, f"volume {order[-1] + 1} of {len(volumes)} is not at hand")
    done("-C", site, "media", "import", volumes[order[-1]])
    assert leftovers(site) == []
    done("-C", site, "check")


def test_a_damaged_volume_is_named_and_the_others_stay(
    road: Road, volumes: list[Path], tmp_path: Path
) -> None:
    site = shutil.copytree(road.new_site, tmp_path / "site")
    sound = shutil.copytree(volumes[1], tmp_path / "sound")
    (bad,) = (volumes[1] / "packs").iterdir()
    bad.chmod(0o644)
    bad.write_bytes(bad.read_bytes()[:-1] + b"\0")
    refused(airstore("-C", site, "media", "import", volumes[0]), 21, "at hand")
    with unchanged(site, tmp=True):
        refused(airstore("-C", site, "media", "import", volumes[1]), 20, bad.name)
        refused(airstore("media", "verify", *volumes, "--trust", road.root), 20, bad.name)
    refused(airstore("-C", site, "media", "import", sound), 21, f"of {len(volumes)} ")
    done("-C", site, "media", "import", *volumes[2:])


def test_a_part_is_verified_and_what_is_missing_is_named(road: Road, volumes: list[Path]) -> None:
    outcome = airstore("media", "verify", volumes[1], "--trust", road.root)
    refused(outcome, 21, "what is at hand is as listed, but volumes 1")
    listed = done("media", "inspect", volumes[1], "-o", "json").json()["volumes"]
    assert {entry["volume"] for entry in listed} == set(range(1, len(volumes) + 1))


def test_what_fits_on_one_volume_is_written_as_ever(road: Road, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done("-C", road.publisher, "media", "create", "--to", "1.1.0", "--volume-size", "4G", out)
    assert "volumes" not in payload_of(out)["predicate"]
    assert (out / "history.bundle").is_file()


@pytest.mark.parametrize("size", ["4X", "-1", "0", "1", "", "100K"])
def test_a_size_that_cannot_be_meant_is_refused(size: str, road: Road, tmp_path: Path) -> None:
    words: list[Any] = ["media", "create", "--to", "1.1.0", "--volume-size", size, tmp_path / "out"]
    assert airstore("-C", road.publisher, *words).code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4 << 30), ("700MiB", 700 << 20), ("4.7GB", 4_700_000_000), ("512k", 512 * KIB)]
)
def test_sizes_count_as_coreutils_count(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size
