"""What making a delta may hold is computed: the shares fit, and no thread takes more than there is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airstore import codec
from airstore.core.errors import UsageError
from airstore.core.image.digest import Digest
from airstore.core.limits import GIB
from airstore.media.delta.effort import Effort
from airstore.media.delta.format import patch, segments
from airstore.media.delta.format.nested import VIEW
from airstore.media.delta.format.packing import Method, Packing, unpack
from airstore.media.delta.format.patch import BASE, PIECE
from airstore.media.delta.format.segments import SEGMENT
from airstore.media.delta.making.memory import (
    DEFAULT,
    LARGEST,
    SITE,
    Budget,
    Memory,
    body_memory,
    packing_memory,
    patch_memory,
    site_memory,
)
from airstore.media.delta.making.ways import offers
from airstore.media.delta.writer import Task, prepare
from airstore.store.blobs import BlobStore, contents, in_order
from tests.media.delta.test_delta import text
from tests.media.delta.test_delta_blobs import layer
from tests.media.delta.test_shared_delta import Fleet, noise, put
from tests.support.product.road_parts import Road, airstore, done, refused


@given(st.integers(0, 8 * GIB), st.sampled_from(Effort))
def test_shares_fit_and_the_largest_body_has_room_in_them(total: int, effort: Effort) -> None:
    packings = effort.every
    try:
        shares = effort.shares(total)
    except UsageError:
        assert total < 2 * GIB
        return
    assert shares.total <= total
    assert shares.base >= PIECE  # the largest body can rest on one
    assert shares.bodies >= body_memory(PIECE, shares.base)
    assert shares.working >= max(patch_memory(VIEW, shares.base), packing_memory(packings))


@pytest.mark.parametrize("effort", list(Effort))
def test_the_default_makes_what_a_site_can_take(effort: Effort) -> None:
    shares = effort.shares(DEFAULT)
    assert shares.base == LARGEST <= BASE
    assert shares.segments >= 1
    assert site_memory(shares.base, effort.every) <= SITE


def test_a_patch_takes_its_suffixes_of_the_base_besides() -> None:
    """Five bytes for each of the base, and one for each of what is new."""
    assert patch_memory(VIEW, 0) == VIEW
    assert patch_memory(0, LARGEST) == 5 * LARGEST
    assert patch_memory(VIEW, LARGEST) == VIEW + 5 * LARGEST


def test_a_site_takes_half_a_segment_for_a_stream_of_zstd() -> None:
    """As its writer asks for; what xz needs may be a segment."""
    zstd, xz = Packing(Method.ZSTD, 3), Packing(Method.XZ, 9)
    assert (zstd.reading(SEGMENT), xz.reading(SEGMENT)) == (SEGMENT // 2, SEGMENT)
    assert site_memory(LARGEST, [zstd, xz]) - site_memory(LARGEST, [zstd]) == 3 * SEGMENT // 2
    frame = zstd.compress([noise(1) * (SEGMENT // len(noise(1)))])
    assert zstandard.get_frame_parameters(frame).window_size == zstd.reading(SEGMENT)


def test_threads_take_no_more_than_there_is_unless_one_is_alone() -> None:
    budget, lock, held, seen = Budget(100), threading.Lock(), [0], list[tuple[int, int]]()

    def work(count: int) -> None:
        with budget.taken(count):
            with lock:
                held[0] += count
                seen.append((held[0], count))
            time.sleep(0.001)  # whoever may come in meanwhile does
            with lock:
                held[0] -= count

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [60, 30, 50, 500, 1, 99, 100, 70] * 20))
    assert len(seen) == 160
    assert all(together <= 100 or together == count for together, count in seen)


def test_items_under_way_weigh_no_more_than_they_may() -> None:
    weights = [5, 5, 5, 40, 1, 1, 1, 1, 1, 1, 1, 9, 2]
    begun, taken = list[int](), 0

    with ThreadPoolExecutor(4) as pool:
        found = in_order(pool, lambda n: n, _noting(weights, begun), 5, (lambda n: n, 10))
        for result in found:
            taken += 1
            under_way = begun[taken - 1 :]  # one of which is only about to begin
            assert sum(under_way[:-1]) <= 10 or len(under_way) <= 2
            assert len(under_way) <= 7
            assert result == weights[taken - 1]
    assert taken == len(weights)


def _noting(weights: list[int], begun: list[int]) -> Iterator[int]:
    for weight in weights:
        begun.append(weight)
        yield weight


def test_workers_keep_within_it_and_the_bytes_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As little as one patch takes: all patches are made one after the other, and nothing waits for ever."""
    fleet = Fleet(tmp_path)
    old = layer({f"f{n}": text(n) + noise(n) for n in range(12)})
    new = layer({f"f{n}": text(n)[100:] + noise(n) + b"x" for n in range(12)}, 1_800_000_000)
    free = fleet.write([new], [old]).read_bytes()
    monkeypatch.setattr(Memory, "shared", lambda _total, _packings: Memory(1, 1, 1, BASE))
    assert fleet.write([new], [old]).read_bytes() == free
    fleet.take_in(tmp_path / "a.delta", [old], [new])
    fleet.publisher.close()


def test_too_little_is_said_before_anything_is_made(road: Road, tmp_path: Path) -> None:
    words = ("-C", road.publisher, "media", "create", "--to", "1.1.0", "--from", "1.0.0", tmp_path / "out")
    refused(airstore(*words, "--memory", "300M"), 2, "--memory 300M", "at least", "hint: ")
    refused(airstore(*words, "--memory", "1G", "--effort", "max"), 2, "at least", "--effort")
    assert not list(tmp_path.iterdir())
    done(*words, "--memory", "1G")


def test_nothing_is_unpacked_while_a_patch_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What unpacks a stream takes up to 64 MiB, whole files' as well as patches'."""
    fleet = Fleet(tmp_path)
    old = layer({f"f{n}": text(n) for n in range(9)})
    new = layer({f"f{n}": text(n)[100:] for n in range(9)} | {f"g{n}": noise(n) for n in range(9)})
    delta = fleet.write([new], [old])
    active, applied = list[object](), list[int]()

    def unpacking(*arguments: Any) -> Iterator[bytes]:
        active.append(arguments)
        try:
            yield from unpack(*arguments)
        finally:
            active.remove(arguments)

    def applying(*arguments: Any) -> None:
        applied.append(len(active))
        codec.patch(*arguments)

    monkeypatch.setattr(segments, "unpack", unpacking)
    monkeypatch.setattr(patch, "apply_patch", applying)
    fleet.take_in(delta, [old], [new])
    fleet.publisher.close()
    assert len(applied) >= 9
    assert not any(applied)


def test_bases_are_let_go_of_before_a_patch_is_applied() -> None:
    """They are there twice otherwise, once in each, while the new piece is made."""
    base = noise(1)
    made, olds = patch.make(base[:-5] + b"x", [base]), [base]
    assert patch.apply(made.kind, made.data, olds, len(base) - 4) == base[:-5] + b"x"
    assert olds == []


def test_a_body_whose_bases_are_too_large_for_a_site_rests_on_less(tmp_path: Path) -> None:
    """Where one base fits and two do not, it rests on one; where none does, it is carried whole."""
    fleet = Fleet(tmp_path)
    old = layer({"a": text(1, 9000), "b": text(2, 9000)})
    new = layer({"c": text(1, 9000) + text(2, 9000)})
    larger = max(len(text(1, 9000)), len(text(2, 9000)))
    put(fleet.publisher, old, new)
    with BlobStore(tmp_path / "publisher") as store:
        task = Task([Digest.of(new)], [Digest.of(old)], {})
        found = prepare(store, task).found
        read = store.reader()
        sizes = [
            max(len(offer[0].bases) for offer in offers(found, 1, partial(contents, read), most))
            for most in (2 * larger, larger, 1)
        ]
    assert sizes == [2, 1, 0]
    fleet.publisher.close()
