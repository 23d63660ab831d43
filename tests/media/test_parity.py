"""Parity: whatever is damaged or lost within its bounds is rebuilt; beyond them nothing changes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, IncompleteError, UsageError
from airstore.core.image.digest import Digest
from airstore.media.index import MediaIndex
from airstore.media.parity.erasure import Code
from airstore.media.parity.shape import GROUP, Shape
from airstore.trust import envelope
from airstore.trust.statement import MEDIA, STATEMENT_TYPE, Statement
from tests.support.faults.forged_media import payload_of
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    leftovers,
    overwrite,
    pack_of,
    refused,
    snapshot,
)


@given(size=st.integers(1, 1 << 34), percent=st.floats(0.1, 100))
def test_groups_hold_every_shard_once_and_can_lose_their_share(size: int, percent: float) -> None:
    shape = Shape.of(size, percent)
    assert shape.data + shape.recovery <= GROUP
    assert shape.recovery * 100 >= shape.data * percent or shape.data + shape.recovery == GROUP
    assert shape.count * shape.shard >= size
    if shape.groups < 200:
        members = [number for group in range(shape.groups) for number in shape.members(group)]
        assert sorted(members) == list(range(shape.count))
        assert max(len(shape.members(group)) for group in range(shape.groups)) <= shape.data


@given(data=st.data(), shape=st.tuples(st.integers(1, 12), st.integers(1, 6)))
def test_any_shards_of_a_group_give_all_of_it(data: st.DataObject, shape: tuple[int, int]) -> None:
    count, recovery = shape
    shards = [data.draw(st.binary(min_size=16, max_size=16)) for _ in range(count)]
    code = Code(count, recovery)
    everything = dict(enumerate([*shards, *code.encode(shards)]))
    lost = data.draw(st.lists(st.sampled_from(range(count + recovery)), max_size=recovery))
    assert code.decode({number: everything[number] for number in everything if number not in lost}) == shards


@pytest.mark.parametrize("percent", [0, -1, 100.5, float("nan"), float("inf")])
def test_a_share_that_cannot_be_meant_is_refused(percent: float) -> None:
    with pytest.raises(UsageError, match="parity of"):
        Shape.of(1, percent)


@pytest.fixture(scope="module")
def written(road: Road, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parity") / "media"
    done("-C", road.publisher, "media", "create", "--to", "1.1.0", "--parity", "10%", "--effort", "none", out)
    return out


@pytest.fixture
def media(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "media")


def repaired(road: Road, media: Path, *words: str | Path) -> None:
    done("media", "verify", *words, media, "--trust", road.root, "--repair")


def zeroed(path: Path, start: int, size: int) -> Path:
    data = bytearray(path.read_bytes())
    data[start : start + size] = bytes(size)
    overwrite(path, bytes(data))
    return path


def one(media: Path, pattern: str) -> Path:
    (found,) = media.glob(pattern)
    return found


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a run of zeros in a pack": lambda media: zeroed(pack_of(media), 200_000, 90_000),
    "a pack cut short": lambda media: overwrite(pack_of(media), pack_of(media).read_bytes()[:-100_000]),
    "a pack that is longer": lambda media: overwrite(pack_of(media), pack_of(media).read_bytes() + b"more"),
    "no bundle": lambda media: (media / "history.bundle").unlink(),
    "no table": lambda media: one(media, "parity/*.table").unlink(),
    "a damaged table": lambda media: zeroed(one(media, "parity/*.table"), 3000, 4000),
    "no recovery shards": lambda media: one(media, "parity/*.shards").unlink(),
    "damaged recovery shards, too": lambda media: [
        zeroed(path, 0, 20_000) for path in (one(media, "parity/*.shards"), pack_of(media))
    ],
    "a flipped bit of the signature": lambda media: zeroed(media / "index.json", 1000, 1),
    "no index": lambda media: (media / "index.json").unlink(),
    "no copy of the index": lambda media: (media / "parity" / "index.copy").unlink(),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_rebuilt(damage: str, road: Road, media: Path) -> None:
    whole = snapshot(media)
    DAMAGE[damage](media)
    assert snapshot(media) != whole
    repaired(road, media)
    assert snapshot(media) == whole
    done("media", "verify", media, "--trust", road.root)


def test_beyond_its_bounds_nothing_changes(road: Road, media: Path) -> None:
    zeroed(pack_of(media), 0, 300_000)
    before = snapshot(media)
    outcome = airstore("media", "verify", media, "--trust", road.root, "--repair")
    refused(outcome, 20, "% of the media are damaged or not at hand, more than parity can rebuild")
    assert snapshot(media) == before


def test_a_lost_volume_is_rebuilt(road: Road, tmp_path: Path) -> None:
    out, spare = tmp_path / "out", tmp_path / "spare"
    size = ("--volume-size", "512K", "--parity", "60%")
    done("-C", road.publisher, "media", "create", "--to", "1.1.0", *size, out)
    first, second, *others = sorted(out.iterdir())
    shutil.rmtree(second)
    kept = [first, *others]
    before = [snapshot(directory) for directory in kept]
    refused(airstore("media", "verify", *kept, "--trust", road.root), 21, "volume 2 of")
    done("media", "verify", *kept, "--trust", road.root, "--repair", "--into", spare)
    assert [snapshot(directory) for directory in kept] == before
    site = shutil.copytree(road.new_site, tmp_path / "site")
    done("-C", site, "media", "import", spare, *kept)
    done("-C", site, "check")
    assert leftovers(site) == []


def test_what_was_rebuilt_elsewhere_goes_before_what_is_damaged(
    road: Road, media: Path, tmp_path: Path
) -> None:
    """A DVD cannot be written: what is rebuilt lies in a directory that is named first."""
    zeroed(pack_of(media), 5000, 5000)
    before, spare = snapshot(media), tmp_path / "spare"
    done("media", "verify", media, "--trust", road.root, "--repair", "--into", spare)
    assert snapshot(media) == before
    done("media", "verify", spare, media, "--trust", road.root)


@pytest.mark.parametrize("share", ["0", "-5%", "101%", "some", ""])
def test_a_share_is_refused_before_anything_is_written(share: str, road: Road, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("media", "create", "--to", "1.1.0", "--parity", share, out)
    assert airstore("-C", road.publisher, *words).code == 2
    assert list(tmp_path.iterdir()) == []


def test_media_without_parity_say_so(road: Road) -> None:
    outcome = airstore("media", "verify", road.full, "--trust", road.root, "--repair")
    refused(outcome, 21, "these media carry no parity")
    assert "--parity 10%" in outcome.err


def test_an_import_needs_no_parity(road: Road, media: Path, tmp_path: Path) -> None:
    shutil.rmtree(media / "parity")
    site = shutil.copytree(road.new_site, tmp_path / "site")
    done("-C", site, "media", "import", media)


def test_without_zfec_it_is_said(road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zfec", None)
    with pytest.raises(IncompleteError, match="zfec, which is not installed"):
        Code(2, 1)
    out = tmp_path / "out"
    outcome = airstore("-C", road.publisher, "media", "create", "--to", "1.1.0", "--parity", "10%", out)
    refused(outcome, 21, "zfec")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"data": 255, "recovery": 255},
        {"shard": 8192},
        {"recovery": 1},
        {"data": 1},
        {"table": f"parity/{'0' * 64}.table"},
    ],
)
def test_parity_that_does_not_fit_its_files_is_damage(changes: dict[str, Any], written: Path) -> None:
    payload = payload_of(written)
    payload["predicate"]["parity"] |= changes
    subjects = {entry["name"]: Digest("sha256:" + entry["digest"]["sha256"]) for entry in payload["subject"]}
    with pytest.raises(DamagedError, match="parity that does not fit"):
        MediaIndex.of(Statement(payload["predicateType"], subjects, payload["predicate"]), "index")


def test_an_older_airstore_refuses_them_by_their_type(written: Path) -> None:
    found = Statement.parse(
        envelope.read((written / "index.json").read_bytes(), STATEMENT_TYPE, "index").payload
    )
    assert found.predicate_type not in {MEDIA, "urn:airstore:media:v2"}
