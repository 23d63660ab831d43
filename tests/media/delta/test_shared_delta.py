"""One delta for sites that hold different blobs: each body is carried once; a site makes what it lacks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, IncompleteError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.progress import QUIET
from airstore.media.delta.effort import Effort
from airstore.media.delta.format.layout import SHARED_VERSION, Head
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.format.references import Aliases, Same
from airstore.media.delta.format.table import BaseBlob, DeltaTable, NewBlob, NewPiece, decode, encode
from airstore.media.delta.reader import Delta
from airstore.media.delta.resolving import resolve
from airstore.media.delta.writer import Task, prepare
from airstore.store.blobs import BlobStore, Staging
from tests.media.delta.test_delta import text
from tests.media.delta.test_delta_blobs import layer, packed, streams

HEADED = Head(SHARED_VERSION, 24, (0, 0), ())


def noise(seed: int, size: int = 50_000) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same each time


def put(store: BlobStore, *blobs: bytes) -> None:
    with store.writer() as writer:
        for blob in blobs:
            writer.put(Descriptor("", Digest.of(blob), len(blob)), lambda blob=blob: [blob])  # type: ignore[misc]


class Fleet:
    """A publisher, and a new site for whoever asks."""

    def __init__(self, directory: Path) -> None:
        self.directory, self._sites = directory, 0
        self.publisher = BlobStore.create(directory / "publisher")

    def write(
        self,
        new: Sequence[bytes],
        *kinds: Sequence[bytes],
        effort: Effort = Effort.FAST,
        name: str = "a.delta",
    ) -> Path:
        held = sorted({Digest.of(blob) for kind in kinds for blob in kind})
        put(self.publisher, *new, *(blob for kind in kinds for blob in kind))
        task = Task(
            [Digest.of(blob) for blob in new], held, {}, [frozenset(map(Digest.of, kind)) for kind in kinds]
        )
        out = self.directory / name
        out.unlink(missing_ok=True)
        prepare(self.publisher, task).write(out, effort, QUIET)
        return out

    def take_in(self, path: Path, held: Sequence[bytes], wanted: Sequence[bytes]) -> int:
        """Apply a delta at a new site that holds some blobs; what was carried for it, before compression."""
        self._sites += 1
        with BlobStore.create(self.directory / f"site-{self._sites}") as site:
            put(site, *held)
            with Staging(site, []) as staging:
                delta = Delta(path, staging.reader)
                lacking = staging.missing(delta.blobs)
                with staging.writer() as writer:
                    delta.restore(writer, lacking, self.directory, lambda _count: None)
                staging.verify(lacking, lambda _count: None)
                staging.commit()
                carried = delta.resolve(lacking).carried_bytes
            for blob in wanted:
                assert b"".join(site.read(Digest.of(blob))) == blob
        return carried


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    yield made
    made.publisher.close()


FILES = {f"app/{name}.py": text(number) for number, name in enumerate("abcdefgh")}
CHANGED = {**FILES, "app/b.py": FILES["app/b.py"].replace(b"self_3", b"itself")}
OLDEST, OLD = layer(FILES), layer({**CHANGED, "app/fresh.bin": noise(1)}, 1_750_000_000)
NEW = layer({**CHANGED, "app/fresh.bin": noise(1), "app/c.py": text(90)}, 1_800_000_000)


@pytest.mark.parametrize("effort", list(Effort))
def test_one_delta_serves_sites_on_two_releases(fleet: Fleet, effort: Effort) -> None:
    """What the newer site has, the older one is brought; what neither has comes once."""
    one, two = (fleet.write([NEW], [held], effort=effort).stat().st_size for held in (OLDEST, OLD))
    both = fleet.write([NEW], [OLDEST], [OLD], effort=effort)
    assert both.stat().st_size < one + 1200
    assert one > 50_000 > 5 * two
    for held in ([OLDEST], [OLD], [OLDEST, OLD], [OLD, NEW]):
        fleet.take_in(both, held, [NEW])


def test_a_site_makes_no_more_than_it_lacks(fleet: Fleet) -> None:
    both = fleet.write([NEW], [OLDEST], [OLD])
    assert fleet.take_in(both, [OLDEST], [NEW]) - fleet.take_in(both, [OLD], [NEW]) > 50_000


def test_a_body_that_all_have_in_other_blobs_is_the_base(fleet: Fleet) -> None:
    """No blob is common to both sites, and nearly every file is."""
    files = {**FILES, "app/large.bin": noise(2, 300_000)}
    here, there = layer({**files, "x": b"1" * 99}), layer({"y": b"2" * 99, **files})
    changed = bytearray(noise(2, 300_000))
    changed[1000:1000] = b"inserted"
    new = layer({**files, "app/large.bin": bytes(changed)})
    path = fleet.write([new], [here], [there])
    assert path.stat().st_size < 3000
    for held in (here, there):
        fleet.take_in(path, [held], [new])


def test_sites_further_behind_go_by_a_pivot_where_that_is_smaller(fleet: Fleet) -> None:
    """Each release adds 50 kB to one file: patches from each to the last would carry 100 kB three times."""
    release = [layer({"grown": b"".join(map(noise, range(20, 22 + n)))}) for n in range(5)]
    path = fleet.write([release[4]], *([held] for held in release[:4]))
    assert (
        200_000 < path.stat().st_size < 206_000
    )  # patches of their own would be 500,000, and all of it 300,000
    for held in release[:4]:
        fleet.take_in(path, [held], [release[4]])


def test_a_site_that_has_none_of_the_bases_is_told_and_unchanged(fleet: Fleet) -> None:
    path = fleet.write([NEW], [OLDEST], [OLD])
    with pytest.raises(IncompleteError, match="what a delta rests on is missing here"):
        fleet.take_in(path, [layer({"other": b"thing"})], [])
    with BlobStore.create(fleet.directory / "empty") as empty, Staging(empty, []) as staging:
        delta = Delta(path, staging.reader)
        with pytest.raises(IncompleteError), staging.writer() as writer:
            delta.restore(writer, delta.blobs, fleet.directory, lambda _count: None)
        assert empty.size(Digest.of(NEW)) is None


def test_a_kind_that_holds_nothing_is_brought_all(fleet: Fleet) -> None:
    path = fleet.write([NEW], [], [OLD])
    for held in ([], [OLD]):
        fleet.take_in(path, held, [NEW])


def test_the_workers_do_not_show(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Effort, "most", lambda *_: 16 << 10)
    written = set()
    for workers in (1, 2, 5):
        monkeypatch.setattr("airstore.media.delta.writer.WORKERS", workers)
        written.add(fleet.write([NEW], [OLDEST], [OLD]).read_bytes())
    assert len(written) == 1


_versions = st.lists(st.integers(0, 3), min_size=4, max_size=4)


@settings(max_examples=12)
@given(st.lists(_versions, min_size=2, max_size=4), st.data())
def test_every_site_gets_every_release(releases: list[list[int]], data: st.DataObject) -> None:
    """Files go through any versions, there and back; sites hold any releases before the last one."""

    def made(versions: list[int]) -> bytes:
        return layer({f"file-{n}": text(n, 400) + noise(100 * n + v, 90) * v for n, v in enumerate(versions)})

    layers = [made(each) for each in releases]
    some = st.lists(st.sampled_from(layers[:-1]), min_size=1, max_size=3)
    kinds = data.draw(st.lists(some, min_size=1, max_size=3))
    with TemporaryDirectory() as directory:
        fleet = Fleet(Path(directory))
        path = fleet.write([layers[-1]], *kinds)
        for kind in kinds:
            fleet.take_in(path, kind, [layers[-1]])
        fleet.publisher.close()


def test_a_hostile_shared_delta_changes_nothing(fleet: Fleet) -> None:
    path = fleet.write([NEW], [OLDEST], [OLD])
    plain = streams(path)
    with BlobStore.create(fleet.directory / "site") as site:
        put(site, OLD)

        @settings(max_examples=60)
        @given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
        def tried(where: float, mask: int) -> None:
            table = bytearray(plain[0])
            table[int(where * len(table))] ^= mask
            path.write_bytes(packed(bytes(table), *plain[1:]))
            with suppress(DamagedError, IncompleteError), Staging(site, []) as staging:
                delta = Delta(path, staging.reader)
                with staging.writer() as writer:
                    delta.restore(writer, delta.blobs, fleet.directory, lambda _count: None)
                staging.verify(delta.blobs, lambda _count: None)
            assert site.size(Digest.of(NEW)) is None

        tried()


@pytest.mark.parametrize("runs", [(Same(0, 5, 5),), (Same(0, 3, 1), Same(1, 4, 2), Same(0, 9, 1)), ()])
def test_pieces_that_are_the_same_come_back(runs: tuple[Same, ...]) -> None:
    table = DeltaTable((), (BaseBlob(Digest.of(b"a"), 10),), (), (), runs)
    assert decode(encode(table), HEADED) == table
    first = Aliases(runs).first
    for run in runs:
        assert [first(run.other + n) for n in range(run.count)] == [run.first + n for n in range(run.count)]
    assert first(0) == 0


@pytest.mark.parametrize("run", [Same(5, 3, 1), Same(0, 3, 4), Same(0, 8, 3), Same(0, 3, 0)])
def test_pieces_that_cannot_be_the_same_are_refused(run: Same) -> None:
    with pytest.raises(DamagedError):
        decode(encode(DeltaTable((), (BaseBlob(Digest.of(b"a"), 10),), (), (), (run,))), HEADED)


def test_only_what_is_needed_is_made_and_what_cannot_be_is_said() -> None:
    """Piece 2 of the old ones is held nowhere here; 3 stands for it, on 1; 4 is of its own, on both."""
    pieces = (
        NewPiece(7, PieceKind.PATCH, 5, (1,), stands_for=2),
        NewPiece(9, PieceKind.PATCH, 6, (0, 2)),
        NewPiece(1, PieceKind.WHOLE, 1),
    )
    blob = NewBlob(Digest.of(b"new"), 9, None, (4,), None)
    table = DeltaTable((), (BaseBlob(Digest.of(b"a"), 3),), pieces, (blob,), ())
    found = resolve(table, {blob.digest}, {0, 1}.__contains__)
    assert (set(found.made), found.lacking, found.plain_bytes) == ({0, 1}, (), 16)
    assert resolve(table, {blob.digest}, {0, 2}.__contains__).made == {1}
    assert resolve(table, {blob.digest}, {0}.__contains__).lacking == (4,)
    assert resolve(table, (), {0}.__contains__).made == frozenset()
