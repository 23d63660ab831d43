"""Letting go of blobs: what only they need goes, whatever else needs stays, wherever the run ends."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airstore.core.errors import AirstoreError, DamagedError, StorageError
from airstore.core.image.digest import Digest
from airstore.store.blobs import BlobStore, check, open_blobs, openable, rebuild_index, sweeping
from airstore.store.format.objects import ObjectKind
from airstore.store.read.index import ObjectIndex
from tests.store.store_support import FaultyDisk, flip, make_tar, noise, packs_of, put, read, text
from tests.store.test_opened import deflated, ignore
from tests.store.test_optimize import KilledError, put_whole

SHARED = {f"s{number:02}": noise(3_000, number) for number in range(20)}
OLD = deflated(make_tar({**SHARED, "old": noise(60_000, 50), "both": text(9_000, 51)}))
NEW = deflated(make_tar({**SHARED, "new": noise(60_000, 60), "both": text(9_000, 51)}, mtime=9))
MANIFEST, OLD_CONFIG = b'{"os": "linux"}', noise(40_000, 70)
STAYS = [NEW, MANIFEST]
GOES = [OLD, OLD_CONFIG]
KEPT = frozenset(map(Digest.of, STAYS))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For copying only."""
    place = tmp_path_factory.mktemp("sweep") / "store"
    with BlobStore.create(place) as store:
        fill(store)
    return place


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore(shutil.copytree(filled, tmp_path / "store")) as opened:
        yield opened


def fill(store: BlobStore) -> None:
    """As releases come: what both need lies in the pack of the older one."""
    put(store, OLD, MANIFEST)
    put(store, OLD_CONFIG)
    put(store, NEW)


def sweep(store: BlobStore, kept: frozenset[Digest] = KEPT) -> int:
    with sweeping(store, kept) as found:
        found.require()
        found.run(ignore)
        return found.freed


def assert_kept(store: BlobStore) -> None:
    assert [read(store, Digest.of(blob)) for blob in STAYS] == STAYS
    assert check(store, ignore) == []


def assert_swept(store: BlobStore) -> None:
    assert_kept(store)
    assert {digest for digest, _size in store.sizes()} == KEPT
    assert list(store.layout.temporary.iterdir()) == []
    assert len(packs_of(store)) == len(store.index.packs())


def disk_use(store: BlobStore) -> int:
    return sum(path.stat().st_size for path in packs_of(store))


def test_what_nothing_needs_goes_and_what_is_shared_stays(store: BlobStore) -> None:
    before = disk_use(store)
    freed = sweep(store)
    assert_swept(store)
    assert before - disk_use(store) > 90_000, "the old file and the config"
    assert abs(before - disk_use(store) - freed) < 2_000, "as was planned"
    rebuild_index(store)
    assert_swept(store)


def test_finding_out_changes_nothing_and_doing_it_twice_neither(store: BlobStore) -> None:
    before = {path: path.read_bytes() for path in [*packs_of(store), store.layout.index]}
    with sweeping(store, KEPT) as found:
        found.require()
    assert {path: path.read_bytes() for path in before} == before
    sweep(store)
    after = packs_of(store)
    assert sweep(store) == 0
    assert packs_of(store) == after


def test_all_may_go_and_all_may_stay(store: BlobStore) -> None:
    before = packs_of(store)
    assert sweep(store, frozenset(map(Digest.of, [*STAYS, *GOES]))) == 0
    assert packs_of(store) == before
    sweep(store, frozenset())
    assert packs_of(store) == []
    assert list(store.sizes()) == []
    fill(store)
    assert_kept(store)


def test_blobs_that_are_held_whole_and_opened_stay_both_ways(tmp_path: Path) -> None:
    """A site keeps a layer as its registry serves it, and opened for deltas."""
    with BlobStore.create(tmp_path / "site") as store:
        put_whole(store, OLD, NEW, MANIFEST)
        open_blobs(store, openable(store), ignore)
        sweep(store)
        assert_swept(store)
        forms = [recipe.opened is None for _, recipe in store.reader().roots(Digest.of(NEW))]
        assert sorted(forms) == [False, True]


@pytest.mark.parametrize("operation", ["write", "sync", "publish"])
def test_disks_that_fail(filled: Path, tmp_path: Path, operation: str) -> None:
    """Whatever fails, nothing that stays is lost, and the next run does the rest."""
    for nth in range(1, 60):
        place = shutil.copytree(filled, tmp_path / str(nth))
        disk = FaultyDisk(operation, nth)
        with BlobStore(place, disk=disk) as store:
            try:
                sweep(store)
            except StorageError:
                assert disk.failed
            assert_kept(store)
        with BlobStore(place) as store:
            sweep(store)
            assert_swept(store)
        shutil.rmtree(place)
        if not disk.failed:
            break
    else:
        pytest.fail("every run failed")


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize(("owner", "name"), [(ObjectIndex, "replace"), (Path, "unlink"), (Path, "replace")])
def test_a_run_that_is_killed(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, after: int
) -> None:
    calls = iter(range(1, 1000))
    real: Callable[..., Any] = getattr(owner, name)

    def killed(*words: Any, **options: Any) -> Any:
        if (name != "unlink" or str(words[0]).endswith(".pack")) and next(calls) == after:
            raise KilledError
        return real(*words, **options)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        try:
            sweep(store)
        except KilledError:
            pass
        else:
            assert next(calls) <= after, "there are fewer steps"
    assert_kept(store)
    sweep(store)
    assert_swept(store)


def test_what_a_killed_run_left_in_tmp_goes(store: BlobStore) -> None:
    left = store.layout.temporary / "rebuilt-left"
    left.mkdir()
    (left / "half.pack").write_bytes(b"half")
    sweep(store)
    assert_swept(store)


def pack_with(store: BlobStore, blob: bytes) -> Path:
    recipe = store.reader().recipe(Digest.of(blob))
    key = next(
        step
        for step in store.reader().steps(recipe)
        if not isinstance(step, int) and step.kind is not ObjectKind.SKELETON
    )
    return store.layout.pack(store.index.locate(key)[0].pack)


@pytest.mark.parametrize("at", [20, -60, -1])
def test_a_pack_that_is_damaged_where_it_is_needed_ends_it(store: BlobStore, at: int) -> None:
    """In a frame, in its own index, in its last byte."""
    path = pack_with(store, OLD)
    assert path == pack_with(store, MANIFEST), "it holds what stays and what goes"
    flip(path, at % path.stat().st_size)
    before = {each: each.read_bytes() for each in packs_of(store)}
    with pytest.raises(DamagedError) as raised:
        sweep(store)
    assert "airstore repair" in raised.value.hint
    assert {each: each.read_bytes() for each in packs_of(store)} == before


def test_a_pack_that_is_damaged_and_that_nothing_needs_goes(store: BlobStore) -> None:
    """Nobody can repair it any more, and nobody needs to."""
    for at in (20, -60):
        path = pack_with(store, OLD_CONFIG)
        flip(path, at % path.stat().st_size)
        sweep(store)
        assert_swept(store)
        put(store, OLD_CONFIG)


def test_a_missing_pack_that_holds_what_is_needed_ends_it(store: BlobStore) -> None:
    pack_with(store, NEW).unlink()
    before = packs_of(store)
    with pytest.raises(DamagedError):
        sweep(store)
    assert packs_of(store) == before


def test_an_index_that_forgot_a_blob_is_not_believed(store: BlobStore) -> None:
    """What it does not know is not what nobody needs."""
    path = pack_with(store, NEW)
    store.index._connection.execute("DELETE FROM blobs WHERE digest = ?", (Digest.of(NEW).raw,))
    before = packs_of(store)
    with pytest.raises(DamagedError, match="does not know a recipe"):
        sweep(store)
    assert packs_of(store) == before
    rebuild_index(store)
    assert read(store, Digest.of(NEW)) == NEW
    assert path.exists()


def test_an_unreadable_pack_of_which_the_index_knows_nothing_ends_it(store: BlobStore) -> None:
    """Neither of them can say that nobody needs it; whoever repairs the pack has everything back."""
    path = pack_with(store, NEW)
    for said in (
        "DELETE FROM blobs WHERE recipe IN (SELECT digest FROM objects WHERE frame IN {of})",
        "DELETE FROM objects WHERE frame IN {of}",
        "DELETE FROM frames WHERE id IN {of}",
    ):
        of = "(SELECT id FROM frames WHERE pack = (SELECT id FROM packs WHERE name = ?))"
        store.index._connection.execute(said.format(of=of), (bytes.fromhex(path.stem),))
    flip(path, path.stat().st_size - 1)
    before = packs_of(store)
    with pytest.raises(DamagedError, match=path.name) as raised:
        sweep(store, frozenset())
    assert "airstore repair" in raised.value.hint
    assert packs_of(store) == before


def test_an_index_that_is_damaged_is_not_believed(store: BlobStore) -> None:
    recipe = store.reader().recipe(Digest.of(NEW))
    key = next(step for step in store.reader().steps(recipe) if not isinstance(step, int))
    store.index._connection.execute("DELETE FROM objects WHERE digest = ?", (key.digest,))
    before = packs_of(store)
    with pytest.raises(DamagedError, match=r"index\.sqlite: ") as raised:
        sweep(store)
    assert "airstore repair" in raised.value.hint
    assert packs_of(store) == before


def test_a_pack_that_is_no_pack_ends_it(store: BlobStore) -> None:
    (store.layout.packs / f"{'0' * 64}.pack").write_bytes(b"not a pack")
    before = packs_of(store)
    with pytest.raises(AirstoreError, match="is not a pack"):
        sweep(store)
    assert packs_of(store) == before


def test_without_room_nothing_is_begun(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before, use = packs_of(store), disk_use(store)
    room = 1000

    def usage(_path: Path) -> object:
        return SimpleNamespace(free=room + use - disk_use(store))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(StorageError, match="bytes free; rewriting a pack needs"):
        sweep(store)
    assert packs_of(store) == before
    # The pack of the config goes as a whole, which makes room for the other one.
    room = pack_with(store, OLD).stat().st_size - pack_with(store, OLD_CONFIG).stat().st_size
    sweep(store)
    assert_swept(store)


def test_a_recipe_that_cannot_be_read_ends_it(store: BlobStore) -> None:
    """Nobody knows what it needs."""
    place = store.index.locate(store.index.blob(Digest.of(NEW))[0].recipe)[0]
    flip(store.layout.pack(place.pack), place.frame_offset + place.stored // 2)
    before = packs_of(store)
    with pytest.raises(DamagedError, match="a recipe of blob"):
        sweep(store)
    assert packs_of(store) == before


BIG = noise(4 << 20, 80)  # some frames, more than are read ahead


def test_readers_go_on_while_packs_are_replaced(store: BlobStore) -> None:
    """A reader that has asked where objects lie finds them again, in the new pack."""
    put(store, OLD_CONFIG[::-1], BIG)
    reader = store.reader()
    chunks = reader.blob(Digest.of(BIG))
    first = next(chunks)
    assert len(first) < len(BIG)
    sweep(store, KEPT | {Digest.of(BIG)})
    assert first + b"".join(chunks) == BIG
    assert b"".join(reader.blob(Digest.of(BIG))) == BIG


def test_a_reader_never_takes_a_frame_for_one_that_is_gone(store: BlobStore) -> None:
    """An index gives the number of a frame that went to another one."""
    put(store, BIG)
    reader = store.reader()
    assert b"".join(reader.blob(Digest.of(BIG))) == BIG
    sweep(store)
    put(store, BIG[::-1])
    assert b"".join(reader.blob(Digest.of(BIG[::-1]))) == BIG[::-1]


def test_readers_in_other_threads_never_fail(store: BlobStore) -> None:
    stop, faults, count = threading.Event(), list[BaseException](), [0]

    def serve() -> None:
        with BlobStore(store.directory) as other:
            while not stop.is_set():
                try:
                    assert read(other, Digest.of(NEW)) == NEW
                    count[0] += 1
                except (AirstoreError, AssertionError) as fault:
                    faults.append(fault)
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    for _ in range(4):
        sweep(store)
        put(store, OLD, OLD_CONFIG)
    stop.set()
    thread.join()
    assert faults == []
    assert count[0]
