"""Packs that have arrived and are not part of the store yet: looked through, verified, then imported."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from airstore.codec.opening import takes_every_core
from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.progress import Advance
from airstore.core.work import at_work
from airstore.store.directory import BlobStore, read_small
from airstore.store.exchange.whole import WholeBlobs
from airstore.store.format.objects import ObjectKey
from airstore.store.format.packwriter import PACK_SIZE, pack_writer
from airstore.store.ingest.sink import WORKERS, in_order
from airstore.store.ingest.writer import BlobWriter
from airstore.store.layout import REBUILT
from airstore.store.read.catalog import name_of, pack_rows, published_file
from airstore.store.read.index import ObjectIndex
from airstore.store.read.reader import ObjectReader
from airstore.store.read.shelf import Shelf
from airstore.store.read.sqlite import batches


class Staging:
    """A store as it would be with some packs added.

    Args:
        store: the store the packs are meant for.
        packs: files named ``<sha256>.pack``.
        hashed: the caller has written them to the store's file system itself, and found on the way that
            they are what their names say; `commit` then does not read them for that once more.
        rehearse: nothing will be committed, so that nothing is written down.

    Raises:
        DamagedError: one of them is no pack, or its index or a recipe in it is damaged.
        StorageError: the disk failed.
    """

    def __init__(
        self, store: BlobStore, packs: Sequence[Path], *, hashed: bool = False, rehearse: bool = False
    ) -> None:
        self._store = store
        self._hashed = hashed
        self._rehearse = rehearse
        self._paths = {name_of(path): path for path in packs}
        self._verified: set[Digest] = set()
        self._whole: WholeBlobs | None = None
        self._directory: Path | None = None
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._one = threading.Lock()  # two at once would take more memory and no less time
        self._index = ObjectIndex()
        try:
            self._index.add(pack_rows(path, name) for name, path in self._paths.items())
        except BaseException:
            self._index.close()
            raise

    def size(self, digest: Digest) -> int | None:
        """Bytes of a blob; None if there is no recipe for it."""
        rows = self._index.blob(digest)
        return rows[0].size if rows else self._store.size(digest)

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See `BlobStore.read`."""
        return self.reader().blob(digest, start, stop)

    def read_bytes(self, digest: Digest, limit: int) -> bytes:
        """See `BlobStore.read_bytes`."""
        return read_small(self.reader(), digest, limit)

    def written_bytes(self, blobs: Iterable[Digest]) -> int:
        """How many bytes `verify` will write for these blobs."""
        reader = self.reader()
        recipes = (reader.recipe(digest) for digest in dict.fromkeys(blobs))
        return 0 if self._rehearse else sum(recipe.size for recipe in recipes if recipe.opened)

    def missing(self, blobs: Iterable[Digest]) -> list[Digest]:
        """Those of the blobs that lack their recipe or an object; nothing but recipes is read."""
        reader = self.reader()
        return [digest for digest in dict.fromkeys(blobs) if not _complete(reader, digest)]

    def open_held(self, held: Sequence[Descriptor], advance: Advance) -> bool:
        """Open blobs that the store holds whole, so that recipes find the files in them; see `openable`.

        They become part of the store with the rest, when it is committed.

        Args:
            held: the blobs.
            advance: called with the size of each.

        Returns:
            Whether there are more objects now.

        Raises:
            DamagedError: one of them cannot be read.
            StorageError: the disk is full or failed.
        """
        before = len(self._paths)
        with self.writer() as writer:
            for blob in held:
                writer.open(blob)
                advance(blob.size)
        self._verified.update(blob.digest for blob in held)  # recording has proved it
        return len(self._paths) > before

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """Put blobs that are made here; they are staged, too, when the block ends well.

        Raises:
            StorageError: the disk is full or failed; nothing was staged.
        """
        directory = self._own_directory()
        with (
            ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-store") as pool,
            pack_writer(directory, self._store.disk, PACK_SIZE) as packs,
        ):
            writer = BlobWriter(self.reader(), pool, packs, directory)
            try:
                yield writer
                writer.finish()
            finally:
                writer.close()
            packs.publish(directory)
            made = {pack.name: directory / pack.file_name for pack in packs.sealed}
        self._index.add(pack_rows(path, name) for name, path in made.items())
        self._paths |= made

    def verify(self, blobs: Iterable[Digest], advance: Advance) -> None:
        """Rebuild every blob in full; those that came opened are written down whole for `commit`.

        Args:
            blobs: the blobs.
            advance: called with every count of the blobs' bytes.

        Raises:
            NotFoundError: there is no recipe for one of them.
            DamagedError: one of them cannot be rebuilt.
        """
        self._verify(blobs, advance, self._rebuilt_whole)

    def commit(self) -> None:
        """Take the packs into the store for good; doing it again changes nothing.

        Recipes that `verify` has not followed are followed first. Packs on the store's file system are moved,
        packs on another one are copied and stay where they are.

        Raises:
            DamagedError: a pack is not what its name says, or a blob cannot be rebuilt.
            LockedError: someone else is adding packs to the store.
            StorageError: the disk is full or failed; nothing has become visible.
        """
        self._verify(self._unverified(), lambda _count: None, self._lacked_whole)
        # Last, so that an index rebuilt by the packs' age prefers them too.
        self._paths |= {name_of(path): path for path in (self._whole.finish() if self._whole else ())}
        with self._store.adding():
            for name, path in self._paths.items():
                final = self._store.layout.pack(name)
                if path != final:
                    self._take_in(path, name, final)
                    self._paths[name] = final
            self._store.enter(self._paths)

    def close(self) -> None:
        """Let go of the packs; those not committed stay where they are."""
        self._index.close()
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reader(self) -> ObjectReader:
        """Verified objects of what is staged and of the store."""
        return ObjectReader([Shelf(self._index, self._paths.__getitem__), self._store.shelf()])

    def _verify(
        self, blobs: Iterable[Digest], advance: Advance, counted: Callable[[Digest], Iterator[int]]
    ) -> None:
        def rebuild(digest: Digest) -> Digest:
            with at_work("rebuild blob %s", digest):
                for count in counted(digest):
                    with self._lock:
                        advance(count)
            return digest

        with ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-store") as pool:
            for digest in in_order(pool, rebuild, dict.fromkeys(blobs)):
                self._verified.add(digest)

    def _rebuilt_whole(self, digest: Digest) -> Iterator[int]:
        """Rebuild a blob, counting its bytes; one that is opened is written down."""
        reader = self.reader()
        recipe = reader.recipe(digest)
        if recipe.opened is None:
            yield from map(len, reader.blob(digest))
            return
        with self._one if takes_every_core(recipe.opened.encoder) else nullcontext():
            if self._rehearse:
                yield from map(len, reader.blob(digest))
            else:
                yield from self._whole_blobs().copied(digest, recipe.size, reader.blob(digest))

    def _lacked_whole(self, digest: Digest) -> Iterator[int]:
        """The same, but what the store has whole is not written down again."""
        if any(recipe.opened is None for _, recipe in self._store.reader().roots(digest)):
            return map(len, self.read(digest))
        return self._rebuilt_whole(digest)

    def _whole_blobs(self) -> WholeBlobs:
        with self._lock:
            if self._whole is None:
                self._whole = WholeBlobs(self._own_directory(), self._store.disk)
                self._stack.callback(self._whole.close)
            return self._whole

    def _own_directory(self) -> Path:
        """Where packs wait that this staging writes itself; it goes with it."""
        if self._directory is None:
            with storage_errors(self._store.layout.temporary):
                made = TemporaryDirectory(prefix=REBUILT, dir=self._store.layout.temporary)
            self._directory = Path(self._stack.enter_context(made))
        return self._directory

    def _unverified(self) -> list[Digest]:
        staged = (Digest.from_raw(row.digest) for row in self._index.blobs())
        return [digest for digest in staged if digest not in self._verified]

    def _take_in(self, path: Path, name: bytes, final: Path) -> None:
        if not path.exists() and final.exists():
            return  # moved by an earlier run that was killed before its end
        if _device(path) == _device(self._store.layout.packs):
            if not self._hashed and path.parent != self._directory:
                for _ in _checked(path, name):
                    pass
            with storage_errors(path):
                path.chmod(0o444)
                with path.open("rb") as file:
                    self._store.disk.sync(file)
                self._store.disk.publish(path, final)
            return
        # Checked while copying, so that only what was checked is used even if the medium changes.
        with published_file(self._store.layout.temporary, final, self._store.disk) as copy:
            for chunk in _checked(path, name):
                copy.write(chunk)
            with storage_errors(copy.path):
                copy.path.chmod(0o444)


def _device(path: Path) -> int:
    with storage_errors(path):
        return path.stat().st_dev


def _checked(path: Path, name: bytes) -> Iterator[bytes]:
    """The chunks of a pack, failing at the end unless its name is their digest."""
    running = hashlib.sha256()
    with storage_errors(path), path.open("rb") as file:
        while chunk := file.read(MIB):
            running.update(chunk)
            yield chunk
    if running.digest() != name:
        raise DamagedError(f"pack {path.name} is not what its name says", hint="copy it from the media again")


def _complete(reader: ObjectReader, digest: Digest) -> bool:
    try:
        recipe = reader.recipe(digest)
        needed = chain(recipe.opened.side if recipe.opened else (), reader.steps(recipe))
        return all(map(reader.has_all, batches(step for step in needed if isinstance(step, ObjectKey))))
    except (NotFoundError, DamagedError):
        return False  # without a readable recipe the blob is missing as a whole
