"""Selections, packs made from them, and taking such packs into another store."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError, NotFoundError, StorageError
from airstore.core.image.digest import Digest
from airstore.store.blobs import BlobStore
from airstore.store.exchange.export import PackFile, Selection, select, write_packs
from airstore.store.exchange.staging import Staging
from airstore.store.format.objects import PIECE
from airstore.store.format.pack import read_frame, read_pack
from airstore.store.upkeep.check import check, rebuild_index, statistics
from tests.store.store_support import FaultyDisk, flip, make_tar, noise, packs_of, put, read, text

FILES = {f"f{number:03}": noise(9_000, number) for number in range(300)}
OLD = make_tar(FILES)
NEW = make_tar({**FILES, "f150": noise(9_000, 999)}, mtime=5)
RAW = noise(2 * PIECE + 3, 1_000)
CONFIG = b'{"architecture": "amd64"}'


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore.create(tmp_path / "publisher") as store:
        put(store, OLD, RAW)
        put(store, NEW, CONFIG)
        yield store


@pytest.fixture
def site(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore.create(tmp_path / "site") as store:
        yield store


def ignore(_count: int) -> None:
    pass


def export(store: BlobStore, out: Path, blobs: list[bytes], base: list[bytes]) -> list[Path]:
    selection = select(store, [Digest.of(blob) for blob in blobs], [Digest.of(blob) for blob in base])
    return [out / f"{pack.digest.hex}.pack" for pack in write_packs(store, selection, out, ignore)]


def total(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def test_a_full_export_makes_a_store(publisher: BlobStore, site: BlobStore, tmp_path: Path) -> None:
    packs = export(publisher, tmp_path / "media", [OLD, RAW, NEW, CONFIG], [])
    with Staging(site, packs) as staging:
        staging.commit()
    for blob in (OLD, RAW, NEW, CONFIG):
        assert read(site, Digest.of(blob)) == blob
    assert check(site, ignore) == []
    assert not any(path.exists() for path in packs), "on one file system they are moved"


def test_a_delta_carries_only_what_is_new(publisher: BlobStore, site: BlobStore, tmp_path: Path) -> None:
    first = export(publisher, tmp_path / "full", [OLD, RAW], [])
    delta = export(publisher, tmp_path / "delta", [NEW, CONFIG, RAW], [OLD, RAW])
    assert total(first) > 4_000_000
    assert 9_000 < total(delta) < 45_000
    with Staging(site, first) as staging:
        staging.commit()
    with Staging(site, delta) as staging:
        assert staging.missing([Digest.of(blob) for blob in (NEW, CONFIG, RAW)]) == []
        staging.verify([Digest.of(NEW), Digest.of(CONFIG)], ignore)
        staging.commit()
    assert read(site, Digest.of(NEW)) == NEW
    assert check(site, ignore) == []


def test_the_selection_states_its_size(publisher: BlobStore, tmp_path: Path) -> None:
    selection = select(publisher, [Digest.of(OLD), Digest.of(RAW)])
    counted: list[int] = []
    packs = write_packs(publisher, selection, tmp_path / "out", counted.append)
    assert sum(counted) == selection.plain_bytes
    assert sum(pack.size for pack in packs) == pytest.approx(selection.stored_bytes, rel=0.01)
    assert len(list(selection.objects())) == len(selection)


def test_nothing_wanted_makes_no_pack(publisher: BlobStore, tmp_path: Path) -> None:
    selection = select(publisher, [Digest.of(OLD)], [Digest.of(OLD)])
    assert selection == Selection(b"", 0, 0)
    assert write_packs(publisher, selection, tmp_path / "out", ignore) == []


def test_unknown_blobs_are_named(publisher: BlobStore) -> None:
    other = Digest.of(b"other")
    with pytest.raises(NotFoundError, match=other):
        select(publisher, [other])
    with pytest.raises(NotFoundError, match=other):
        select(publisher, [Digest.of(OLD)], [other])


def test_packs_are_the_same_each_time(publisher: BlobStore, tmp_path: Path) -> None:
    def packs(name: str) -> list[PackFile]:
        selection = select(publisher, [Digest.of(NEW), Digest.of(RAW)])
        return write_packs(publisher, selection, tmp_path / name, ignore, max_size=1_500_000)

    assert len(packs("one")) > 2
    assert packs("one") == packs("two")
    assert max(pack.size for pack in packs("one")) <= 1_500_000


def test_whole_frames_are_copied_verbatim(publisher: BlobStore, tmp_path: Path) -> None:
    (path,) = export(publisher, tmp_path / "out", [RAW], [])
    stored = b"".join(pack.read_bytes() for pack in packs_of(publisher))
    data = path.read_bytes()
    frames = [frame for frame in read_pack(path) if frame.plain >= PIECE]
    assert len(frames) == 2
    assert all(data[frame.offset : frame.offset + frame.stored] in stored for frame in frames)


def test_of_shared_frames_only_the_wanted_objects_are_taken(publisher: BlobStore, tmp_path: Path) -> None:
    few = make_tar({"a": FILES["f010"], "b": FILES["f200"]})
    put(publisher, few)
    (path,) = export(publisher, tmp_path / "out", [few], [])
    plain = b"".join(read_frame(path, f.offset, f.stored, f.plain) for f in read_pack(path))
    assert FILES["f010"] in plain
    assert FILES["f011"] not in plain


def test_a_damaged_copy_is_not_exported_when_another_is_good(publisher: BlobStore, tmp_path: Path) -> None:
    (delta,) = (path for path in packs_of(publisher) if path.stat().st_size < 100_000)
    flip(delta, 5_000)
    put(publisher, NEW)
    flip(max(packs_of(publisher), key=lambda path: path.stat().st_size), 9_000)
    selection = select(publisher, [Digest.of(NEW)])
    with pytest.raises(DamagedError):
        write_packs(publisher, selection, tmp_path / "out", ignore)
    assert list((tmp_path / "out").iterdir()) == []
    put(publisher, OLD)
    packs = write_packs(publisher, selection, tmp_path / "out", ignore)
    assert packs


def test_what_lay_in_a_pack_that_is_gone_is_missing(
    publisher: BlobStore, site: BlobStore, tmp_path: Path
) -> None:
    """The index says of an object what it says; the pack's file has to be there as well."""
    with Staging(site, export(publisher, tmp_path / "media", [OLD], [])) as staging:
        staging.commit()
    (pack,) = packs_of(site)
    with Staging(site, export(publisher, tmp_path / "delta", [NEW], [OLD])) as staging:
        assert staging.missing([Digest.of(NEW)]) == []
        pack.rename(tmp_path / "gone")
        assert staging.missing([Digest.of(NEW)]) == [Digest.of(NEW)]


@pytest.mark.parametrize("operation", ["write", "sync", "publish"])
def test_a_full_disk_leaves_no_packs(publisher: BlobStore, tmp_path: Path, operation: str) -> None:
    selection = select(publisher, [Digest.of(OLD), Digest.of(RAW)])
    out = tmp_path / "out"
    publisher.disk = FaultyDisk(operation, 2)
    with pytest.raises(StorageError, match="No space left"):
        write_packs(publisher, selection, out, ignore, max_size=1_200_000)
    assert list(out.iterdir()) == []


def test_staged_blobs_are_read_before_they_are_visible(
    publisher: BlobStore, site: BlobStore, tmp_path: Path
) -> None:
    packs = export(publisher, tmp_path / "media", [OLD, CONFIG], [])
    with Staging(site, packs) as staging:
        assert b"".join(staging.read(Digest.of(OLD))) == OLD
        assert staging.read_bytes(Digest.of(CONFIG), 100) == CONFIG
        assert staging.size(Digest.of(CONFIG)) == len(CONFIG)
        assert staging.size(Digest.of(b"other")) is None
        counted: list[int] = []
        staging.verify([Digest.of(OLD), Digest.of(CONFIG)], counted.append)
        assert sum(counted) == len(OLD) + len(CONFIG)
        assert site.size(Digest.of(OLD)) is None
    assert packs_of(site) == []


def test_a_delta_without_its_base_is_not_taken_in(
    publisher: BlobStore, site: BlobStore, tmp_path: Path
) -> None:
    delta = export(publisher, tmp_path / "delta", [NEW, CONFIG], [OLD])
    with Staging(site, delta) as staging:
        wanted = [Digest.of(NEW), Digest.of(CONFIG), Digest.of(RAW)]
        assert staging.missing(wanted) == [Digest.of(NEW), Digest.of(RAW)]
        with pytest.raises(DamagedError, match="missing"):
            staging.verify(wanted[:1], ignore)
        with pytest.raises(DamagedError, match="missing"):
            staging.commit()
    assert packs_of(site) == []
    assert statistics(site).objects == 0


def test_a_pack_that_is_not_what_its_name_says(publisher: BlobStore, site: BlobStore, tmp_path: Path) -> None:
    (path,) = export(publisher, tmp_path / "media", [CONFIG], [])
    renamed = path.rename(path.with_name("0" * 64 + ".pack"))
    with Staging(site, [renamed]) as staging, pytest.raises(DamagedError, match="its name"):
        staging.commit()
    assert packs_of(site) == []
    with pytest.raises(DamagedError, match="not named"):
        Staging(site, [renamed.rename(path.with_name("some.pack"))])


def test_flipped_media_are_found(publisher: BlobStore, site: BlobStore, tmp_path: Path) -> None:
    (path,) = export(publisher, tmp_path / "media", [OLD], [])
    flip(path, 20_000)
    with Staging(site, [path]) as staging, pytest.raises(DamagedError):
        staging.verify([Digest.of(OLD)], ignore)


def test_packs_that_count_as_hashed_are_still_rebuilt_from(publisher: BlobStore, site: BlobStore) -> None:
    (path,) = export(publisher, site.layout.temporary, [OLD], [])
    flip(path, 20_000)
    with Staging(site, [path], hashed=True) as staging, pytest.raises(DamagedError):
        staging.commit()
    assert packs_of(site) == []


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system, as media are."""
    here = tmp_path.stat().st_dev
    others = (path for path in map(Path, ("/dev/shm", "/var/tmp", "/tmp")) if path.is_dir())
    other = next((path for path in others if path.stat().st_dev != here), None)
    if other is None:
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=other) as name:
        yield Path(name)


def test_packs_on_media_are_copied(publisher: BlobStore, site: BlobStore, elsewhere: Path) -> None:
    (path,) = export(publisher, elsewhere, [OLD], [])
    with Staging(site, [path]) as staging:
        staging.commit()
    assert path.exists()
    assert read(site, Digest.of(OLD)) == OLD
    assert packs_of(site)[0].stat().st_mode & 0o777 == 0o444


def test_packs_nearby_are_moved(publisher: BlobStore, site: BlobStore) -> None:
    (path,) = export(publisher, site.layout.temporary, [OLD], [])
    with Staging(site, [path]) as staging:
        staging.commit()
        staging.commit()
        assert b"".join(staging.read(Digest.of(OLD))) == OLD
    assert list(site.layout.temporary.iterdir()) == []
    assert [pack.name for pack in packs_of(site)] == [path.name]


def test_taking_in_twice_changes_nothing(publisher: BlobStore, site: BlobStore, tmp_path: Path) -> None:
    for _ in range(2):
        packs = export(publisher, tmp_path / "media", [OLD, RAW], [])
        with Staging(site, packs) as staging:
            staging.commit()
    assert statistics(site).packs == len(packs)
    assert check(site, ignore) == []


def test_media_heal_a_damaged_pack_of_the_same_name(
    publisher: BlobStore, site: BlobStore, tmp_path: Path
) -> None:
    (path,) = export(publisher, tmp_path / "media", [OLD], [])
    kept = Path(shutil.copy(path, tmp_path / path.name))
    with Staging(site, [path]) as staging:
        staging.commit()
    (taken,) = packs_of(site)
    flip(taken, taken.stat().st_size - 60)
    rebuild_index(site)
    assert read(site, Digest.of(OLD)) == OLD  # the index knew, and still knows, where everything lies
    site.layout.index.unlink()
    with BlobStore(site.directory) as anew:
        assert anew.size(Digest.of(OLD)) is None
        assert [damage.blobs for damage in check(anew, ignore)] == [()]
        with Staging(anew, [kept]) as staging:
            staging.commit()
        assert read(anew, Digest.of(OLD)) == OLD
        assert check(anew, ignore) == []


@pytest.mark.parametrize("nearby", [False, True])
@pytest.mark.parametrize("operation", ["write", "sync", "publish"])
def test_faults_while_taking_in(
    publisher: BlobStore, tmp_path: Path, elsewhere: Path, operation: str, nearby: bool
) -> None:
    packs = export(publisher, elsewhere, [OLD, RAW], [])
    for nth in range(1, 30):
        directory = tmp_path / f"site-{nth}"
        BlobStore.create(directory).close()
        staged = [_fresh_copy(path, tmp_path) for path in packs] if nearby else packs
        disk = FaultyDisk(operation, nth)
        with BlobStore(directory, disk=disk) as site:
            with Staging(site, staged) as staging:
                assert commits(staging) != disk.failed
            assert statistics(site).blobs == (0 if disk.failed else 2)
            assert list(site.layout.temporary.iterdir()) == []
        with BlobStore(directory) as site:
            with Staging(site, packs) as staging:
                staging.commit()
            assert read(site, Digest.of(OLD)) == OLD
            assert check(site, ignore) == []
            assert not [path for path in site.layout.packs.iterdir() if path.suffix != ".pack"]
        if not disk.failed:
            return
    pytest.fail("the fault kept happening")


def _fresh_copy(path: Path, directory: Path) -> Path:
    """In place of one that a round before left, which is read-only."""
    (directory / path.name).unlink(missing_ok=True)
    return Path(shutil.copy(path, directory))


def commits(staging: Staging) -> bool:
    try:
        staging.commit()
    except StorageError:
        return False
    return True


def test_texts_compress_on_media(publisher: BlobStore, tmp_path: Path) -> None:
    blob = make_tar({"doc": text(900_000, 5)})
    put(publisher, blob)
    assert total(export(publisher, tmp_path / "out", [blob], [])) < len(blob) // 3
