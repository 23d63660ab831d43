"""The store of blobs: a directory of packs, and an index of them.

Layout: ``packs/<sha256>.pack``, ``index.sqlite``, ``tmp/`` (nothing in it outlives the command that made it),
``packs.lock`` (held by whoever adds packs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from airstore.core.durable import LOCAL_DISK, Disk, exclusive_lock, storage_errors
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.image.digest import Digest
from airstore.store.format.packwriter import PACK_SIZE, pack_writer
from airstore.store.ingest.kept import note, reasons
from airstore.store.ingest.sink import WORKERS
from airstore.store.ingest.writer import BlobWriter
from airstore.store.layout import StoreLayout
from airstore.store.read.catalog import is_partial, name_of, pack_files, pack_rows, write_index
from airstore.store.read.forms import BlobForm, form_of
from airstore.store.read.index import ObjectIndex
from airstore.store.read.partial import FarPacks, PartialPacks
from airstore.store.read.reader import ObjectReader
from airstore.store.read.shelf import Shelf


class BlobStore:
    """Blobs by digest. Any number of threads and processes may read while one writes.

    A missing or unusable index is rebuilt from the packs when the store is opened.

    Args:
        directory: what `create` has made.
        disk: makes bytes durable.
        far: gives the source of packs that are here only in part, when it is needed.

    Raises:
        NotFoundError: the directory holds no store.
        StorageError: the disk failed.
    """

    def __init__(
        self, directory: Path, *, disk: Disk = LOCAL_DISK, far: Callable[[], FarPacks] | None = None
    ) -> None:
        self.directory = directory
        self.layout = StoreLayout(directory)
        self.disk = disk
        if not self.layout.packs.is_dir():
            raise NotFoundError(f"{directory} holds no airstore store", hint="make one with 'airstore init'")
        names = [name_of(path) for path in pack_files(self.layout.packs) if is_partial(path)]
        self.partial = PartialPacks(names, self.layout.partial, self.layout.pack, far)
        self.index = self._open_index()

    @classmethod
    def create(cls, directory: Path, *, disk: Disk = LOCAL_DISK) -> Self:
        """Make an empty store in a directory, or open the one that is there.

        Raises:
            StorageError: the disk is full or failed.
        """
        layout = StoreLayout(directory)
        with storage_errors(directory):
            layout.packs.mkdir(parents=True, exist_ok=True)
            layout.temporary.mkdir(exist_ok=True)
        return cls(directory, disk=disk)

    def size(self, digest: Digest) -> int | None:
        """Bytes of a blob; None if there is no recipe for it."""
        rows = self.index.blob(digest)
        return rows[0].size if rows else None

    def sizes(self) -> Iterator[tuple[Digest, int]]:
        """Every blob and its bytes, in the order of digests."""
        return ((Digest.from_raw(row.digest), row.size) for row in self.index.blobs())

    def form(self, digest: Digest) -> BlobForm:
        """In which form a blob is held."""
        return form_of(self.reader(), digest, reasons(self.layout.kept_whole))

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """A blob's bytes from ``start`` up to ``stop``, verified; act on them when the iterator has ended.

        Raises:
            NotFoundError: the store does not have it; at once.
            DamagedError: it cannot be rebuilt; possibly after bytes have been handed out.
        """
        return self.reader().blob(digest, start, stop)

    def read_bytes(self, digest: Digest, limit: int) -> bytes:
        """A small blob: manifest, config or chart.

        Raises:
            NotFoundError: the store does not have it.
            DamagedError: it cannot be rebuilt, or is larger than ``limit`` bytes.
        """
        return read_small(self.reader(), digest, limit)

    @contextmanager
    def writer(self, *, opening: bool = True) -> Iterator[BlobWriter]:
        """Put blobs; they become visible together when the block ends well, and not at all otherwise.

        Args:
            opening: as `BlobWriter` has it.

        Raises:
            LockedError: someone else is adding packs to this store.
            StorageError: the disk is full or failed.
        """
        with (
            self._completing(),
            ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-store") as pool,
            pack_writer(self.layout.temporary, self.disk, PACK_SIZE) as packs,
        ):
            writer = BlobWriter(self.reader(), pool, packs, self.layout.temporary, opening=opening)
            try:
                yield writer
                writer.finish()
            finally:
                writer.close()
            packs.publish(self.layout.packs)
            self.enter(pack.name for pack in packs.sealed)
            note(self.layout.kept_whole, writer.kept_whole, self.disk)

    def reader(self) -> ObjectReader:
        """Verified objects of this store, with a small cache of its own."""
        return ObjectReader([self.shelf()])

    def shelf(self) -> Shelf:
        """Where the objects lie."""
        return Shelf(self.index, self.path_of, self.partial if self.partial.names else None)

    def path_of(self, name: bytes) -> Path:
        """The file of a pack, by its raw name; of one that is here only in part, that part."""
        return self.partial.path(name) if name in self.partial else self.layout.pack(name)

    def enter(self, names: Iterable[bytes]) -> None:
        """Make published packs visible.

        When this fails the packs stay: whether SQLite has committed is not known then, and a pack
        that no index names does no harm; the next writer enters it.
        """
        self.index.add(pack_rows(self.path_of(name), name) for name in names)

    @contextmanager
    def adding(self) -> Iterator[None]:
        """The right to add packs; what a killed process left half written is removed.

        Raises:
            LockedError: another process holds the lock.
        """
        with exclusive_lock(self.layout.packs_lock):
            with storage_errors(self.layout.temporary):
                for left in self.layout.temporary.glob(".tmp-*"):
                    left.unlink(missing_ok=True)
            yield

    def unindexed(self) -> list[Path]:
        """Packs that the index does not know: of a run that failed between the two."""
        known = {name for _, name, _ in self.index.packs()}
        return [path for path in pack_files(self.layout.packs) if name_of(path) not in known]

    @contextmanager
    def _completing(self) -> Iterator[None]:
        """`adding`, and what a run left that ended before the index knew its packs is used from now on."""
        with self.adding():
            for path in self.unindexed():
                with suppress(DamagedError):  # `check` names it
                    self.enter([name_of(path)])
            yield

    def rebuild_index(self) -> None:
        """Rebuild the index from the packs.

        Raises:
            LockedError: someone is adding packs.
            StorageError: the disk is full or failed; the old index is as it was.
        """
        self._make_index(self.index)
        self.index.close()
        self.index = ObjectIndex(str(self.layout.index), create=False)

    def close(self) -> None:
        """Let go of the index, and of whatever packs were fetched from."""
        self.partial.close()
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_index(self) -> ObjectIndex:
        with suppress(DamagedError):  # unusable: it is only a cache, so it is rebuilt
            if self.layout.index.exists():
                return ObjectIndex(str(self.layout.index), create=False)
        self._make_index()
        return ObjectIndex(str(self.layout.index), create=False)

    def _make_index(self, old: ObjectIndex | None = None) -> None:
        with self.adding():
            write_index(self.layout.packs, self.layout.index, self.layout.temporary, self.disk, old)


def read_small(reader: ObjectReader, digest: Digest, limit: int) -> bytes:
    """A blob of at most ``limit`` bytes, in memory.

    Raises:
        NotFoundError: there is no recipe for it.
        DamagedError: it cannot be rebuilt, or is larger.
    """
    size = reader.recipe(digest).size
    if size > limit:
        raise DamagedError(f"blob {digest} has {size} bytes where at most {limit} make sense")
    return b"".join(reader.blob(digest))
