"""Gzip blobs opened into their files: recorded, read back, carried, written down whole at a site."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError
from airstore.core.image.digest import Digest
from airstore.store.blobs import BlobStore, Staging, check, rebuild_index, select, write_packs
from airstore.store.format.objects import ObjectKind, key_of
from airstore.store.format.recipe import Opened, Recipe, encode_root
from airstore.store.ingest.kept import reasons
from airstore.store.read import reader
from tests.store.store_support import descriptor, flip, make_tar, noise, packs_of, put, read, text

FIXTURES = Path(__file__).parents[2] / "fixtures"
FILES = {f"f{number:03}": noise(3_000, number) + text(6_000, number % 250) for number in range(150)}
OLD = make_tar(FILES)
NEW = make_tar({**FILES, "f075": noise(9_000, 999)}, mtime=5)


def deflated(data: bytes, level: int = 6) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, 31, 8)
    return stream.compress(data) + stream.flush()


OLD_GZIP, NEW_GZIP = deflated(OLD), deflated(NEW)
UNKNOWN = gzip.compress(b"a" * 300, mtime=0)[:-8]  # what the codec takes for gzip, and cannot open


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore.create(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def site(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore.create(tmp_path / "site") as opened:
        yield opened


def ignore(_count: int) -> None:
    pass


def recipe_of(store: BlobStore, blob: bytes, *, opened: bool = True) -> Recipe:
    return store.reader().root(Digest.of(blob), opened=opened)[1]


def carried(store: BlobStore, out: Path, blobs: list[bytes], base: list[bytes]) -> list[Path]:
    selection = select(store, [Digest.of(blob) for blob in blobs], [Digest.of(blob) for blob in base])
    return [out / f"{pack.digest.hex}.pack" for pack in write_packs(store, selection, out, ignore)]


def taken(site: BlobStore, packs: list[Path], blobs: list[bytes]) -> None:
    with Staging(site, packs) as staging:
        assert staging.missing(map(Digest.of, blobs)) == []
        staging.verify(map(Digest.of, blobs), ignore)
        staging.commit()


def total(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def disk_use(store: BlobStore) -> int:
    return total(packs_of(store))


@pytest.mark.parametrize("vector", sorted(path.name for path in (FIXTURES / "codec").glob("*.gz")))
def test_every_encoders_blobs_come_back(store: BlobStore, vector: str) -> None:
    blob = (FIXTURES / "codec" / vector).read_bytes()
    (digest,) = put(store, blob)
    assert read(store, digest) == blob
    opened = recipe_of(store, blob).opened
    assert (opened is None) == (digest in reasons(store.layout.kept_whole))
    if opened:
        assert opened.encoder
        assert opened.side_size < len(blob) // 2
    assert check(store, ignore) == []


@pytest.mark.slow
@pytest.mark.parametrize("start", [0, 1, 4_000, len(OLD_GZIP) - 1, len(OLD_GZIP)])
@pytest.mark.parametrize("stop", [0, 3_999, 70_000, len(OLD_GZIP) - 1, len(OLD_GZIP), None])
def test_ranges_of_an_opened_blob(store: BlobStore, start: int, stop: int | None) -> None:
    (digest,) = put(store, OLD_GZIP)
    assert recipe_of(store, OLD_GZIP).opened
    assert b"".join(store.read(digest, start, stop)) == OLD_GZIP[start:stop]


def test_a_gzip_layer_shares_its_files_with_others(store: BlobStore) -> None:
    put(store, OLD)
    before = disk_use(store)
    put(store, OLD_GZIP, deflated(OLD, 9), NEW_GZIP)
    assert disk_use(store) - before < 60_000
    assert len(OLD_GZIP) > 600_000


def test_reading_an_opened_blob_twice_at_once(store: BlobStore) -> None:
    digest, other = put(store, OLD_GZIP, NEW_GZIP)
    found = [
        b"".join(pair) for pair in zip(*map(list, (store.read(digest), store.read(digest))), strict=True)
    ]
    assert found
    assert read(store, other) == NEW_GZIP


def test_a_blob_that_is_held_opened_is_not_put_again(store: BlobStore) -> None:
    put(store, OLD_GZIP)
    before = disk_use(store)
    with store.writer() as writer:
        assert not writer.put(descriptor(OLD_GZIP), lambda: pytest.fail("the source is not needed"))
    assert disk_use(store) == before


@pytest.mark.parametrize("kind", [ObjectKind.BODY, ObjectKind.SKELETON, ObjectKind.RAW])
def test_a_blob_whose_objects_are_damaged_is_put_again(store: BlobStore, kind: ObjectKind) -> None:
    (digest,) = put(store, OLD_GZIP)
    recipe = recipe_of(store, OLD_GZIP)
    assert recipe.opened
    steps = [step for step in store.reader().steps(recipe) if not isinstance(step, int)]
    key = next(key for key in (*recipe.opened.side, *steps) if key.kind is kind)
    place = store.index.locate(key)[0]
    flip(store.layout.pack(place.pack), place.frame_offset + place.stored // 2)
    with pytest.raises(DamagedError):
        read(store, digest)
    assert any(digest in damage.blobs for damage in check(store, ignore))
    put(store, OLD_GZIP)
    assert read(store, digest) == OLD_GZIP


def test_what_cannot_be_opened_is_kept_whole_and_says_why(store: BlobStore) -> None:
    blobs = [UNKNOWN, b"\x1f\x8b", b"\x1f\x8b" + noise(300_000, 5), OLD_GZIP[:-1]]
    digests = put(store, *blobs)
    assert [read(store, digest) for digest in digests] == blobs
    noted = reasons(store.layout.kept_whole)
    assert set(noted) == set(digests)
    assert all(noted.values())
    put(store, deflated(b"x"))
    assert reasons(store.layout.kept_whole) == noted


@pytest.mark.slow
def test_side_data_that_would_cost_too_much(store: BlobStore) -> None:
    """No encoder writes like this: what is copied and what is not is drawn by lot."""
    pieces = [zlib.compressobj(1 + at % 9, zlib.DEFLATED, -15, 1 + at % 9, at % 5) for at in range(150)]
    plain = [text(9_000, at % 250) for at in range(150)]
    body = b"".join(
        one.compress(data) + one.flush(zlib.Z_SYNC_FLUSH) for one, data in zip(pieces, plain, strict=True)
    )
    whole = b"".join(plain)
    end = zlib.crc32(whole).to_bytes(4, "little") + len(whole).to_bytes(4, "little")
    blob = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + b"\x03\0" + end
    assert gzip.decompress(blob) == whole
    (digest,) = put(store, blob)
    assert read(store, digest) == blob
    opened = recipe_of(store, blob).opened
    assert opened is None or opened.side_size < len(blob) // 3
    assert (opened is None) == (digest in reasons(store.layout.kept_whole))


@pytest.mark.parametrize("blob", [OLD_GZIP, UNKNOWN])
@pytest.mark.parametrize("cut", [1, 100])
def test_a_source_that_ends_early_or_differs_leaves_nothing(store: BlobStore, blob: bytes, cut: int) -> None:
    for source in (blob[:-cut], blob[:-cut] + b"\xa5" * cut, blob + b"x"):
        with pytest.raises(DamagedError), store.writer() as writer:
            writer.put(descriptor(blob), lambda source=source: [source])  # type: ignore[misc]
    assert store.size(Digest.of(blob)) is None
    assert packs_of(store) == []
    assert list(store.layout.temporary.iterdir()) == []


def test_a_source_that_breaks_off_says_so(store: BlobStore) -> None:
    def broken() -> Iterator[bytes]:
        yield OLD_GZIP[:200_000]
        raise NotFoundError("the source is gone")

    with pytest.raises(NotFoundError, match="is gone"), store.writer() as writer:
        writer.put(descriptor(OLD_GZIP), broken)
    assert packs_of(store) == []


def test_a_delta_carries_one_file_and_the_site_has_the_registrys_bytes(
    store: BlobStore, site: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, OLD_GZIP, NEW_GZIP)
    taken(site, carried(store, tmp_path / "full", [OLD_GZIP], []), [OLD_GZIP])
    delta = carried(store, tmp_path / "delta", [NEW_GZIP], [OLD_GZIP])
    assert total(delta) < 35_000
    taken(site, delta, [NEW_GZIP])
    assert check(site, ignore) == []
    rebuild_index(site)
    monkeypatch.setattr(reader, "rebuilt", lambda *_: pytest.fail("serving compresses again"))
    for blob in (OLD_GZIP, NEW_GZIP):
        assert recipe_of(site, blob, opened=True).opened
        assert read(site, Digest.of(blob)) == blob
    assert list(site.layout.temporary.iterdir()) == []


def test_an_import_that_is_only_rehearsed_writes_nothing(
    store: BlobStore, site: BlobStore, tmp_path: Path
) -> None:
    put(store, OLD_GZIP)
    packs = carried(store, tmp_path / "full", [OLD_GZIP], [])
    with Staging(site, packs, rehearse=True) as staging:
        assert staging.written_bytes([Digest.of(OLD_GZIP)]) == 0
        staging.verify([Digest.of(OLD_GZIP)], ignore)
        assert list(site.layout.temporary.iterdir()) == []
    with Staging(site, packs) as staging:
        assert staging.written_bytes([Digest.of(OLD_GZIP)]) == len(OLD_GZIP)


def test_taking_the_same_packs_again_writes_nothing_twice(
    store: BlobStore, site: BlobStore, tmp_path: Path
) -> None:
    put(store, OLD_GZIP)
    packs = carried(store, tmp_path / "full", [OLD_GZIP], [])
    again = [Path(shutil.copy(path, tmp_path)) for path in packs]
    taken(site, packs, [OLD_GZIP])
    before = disk_use(site)
    with Staging(site, again) as staging:
        staging.commit()
    assert disk_use(site) == before


def test_damaged_whole_blobs_are_rebuilt_from_media(
    store: BlobStore, site: BlobStore, tmp_path: Path
) -> None:
    put(store, OLD_GZIP)
    packs = carried(store, tmp_path / "full", [OLD_GZIP], [])
    again = [Path(shutil.copy(path, tmp_path)) for path in packs]
    taken(site, packs, [OLD_GZIP])
    steps = site.reader().steps(recipe_of(site, OLD_GZIP, opened=False))
    raw = next(step for step in steps if not isinstance(step, int))
    place = site.index.locate(raw)[0]
    flip(site.layout.pack(place.pack), place.frame_offset + place.stored // 2)
    with pytest.raises(DamagedError):
        read(site, Digest.of(OLD_GZIP))
    taken(site, again, [OLD_GZIP])
    assert read(site, Digest.of(OLD_GZIP)) == OLD_GZIP


def forged(store: BlobStore, side: bytes) -> None:
    """Give `OLD_GZIP` a recipe with other side data, newer than the right one."""
    recipe = recipe_of(store, OLD_GZIP)
    assert recipe.opened
    key = key_of(ObjectKind.RAW, side)
    opened = Opened(recipe.opened.plain_size, "hostile", (key,))
    root = encode_root(recipe.blob, recipe.size, recipe.steps, recipe.parts, opened)
    with store.writer() as writer:
        writer._sink.add(key, side)
        writer._sink.add(key_of(ObjectKind.RECIPE, root), root)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"AIRGZ",
        lambda _: b"\0",
        lambda side: side[:-1],
        lambda side: side + side,
        lambda side: side.replace(b"AIRGZ", b"AIRGX"),
        lambda side: side[:6] + b"\1\6" + side[8:],
        lambda side: side[:12] + bytes([side[12] ^ 1]) + side[13:],
        lambda side: side[:8] + b"\3" + b"\xff" * 9 + b"\1",
    ],
)
def test_hostile_side_data_change_nothing(
    store: BlobStore, site: BlobStore, tmp_path: Path, change: type[bytes]
) -> None:
    put(store, OLD_GZIP)
    opened = recipe_of(store, OLD_GZIP).opened
    assert opened
    forged(store, change(b"".join(map(store.reader().object, opened.side))))
    packs = carried(store, tmp_path / "full", [OLD_GZIP], [])
    with Staging(site, packs) as staging:
        assert staging.missing([Digest.of(OLD_GZIP)]) == []
        with pytest.raises(DamagedError, match=r"gzip blob cannot be rebuilt|other content|ends after"):
            staging.verify([Digest.of(OLD_GZIP)], ignore)
        with pytest.raises(AirstoreError):
            staging.commit()
    assert packs_of(site) == []
    assert site.size(Digest.of(OLD_GZIP)) is None
    assert list(site.layout.temporary.iterdir()) == []


def test_a_gzip_of_nothing(store: BlobStore, site: BlobStore, tmp_path: Path) -> None:
    blob = deflated(b"")
    (digest,) = put(store, blob)
    assert read(store, digest) == blob
    taken(site, carried(store, tmp_path / "full", [blob], []), [blob])
    assert read(site, digest) == blob
