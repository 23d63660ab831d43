"""The index: where objects lie and which recipe rebuilds a blob. A cache; the packs hold all of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, zip_longest

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.store.format.objects import ObjectKey, ObjectKind
from airstore.store.format.pack import PackFrame, frame_entry
from airstore.store.read.rows import BlobRow, Location, PackRows
from airstore.store.read.sqlite import REBUILD_HINT, connect, marks, portions, sqlite_errors

_VERSION = 1
_SCHEMA = """
CREATE TABLE packs(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, size INTEGER NOT NULL);
CREATE TABLE frames(id INTEGER PRIMARY KEY, pack INTEGER NOT NULL, kind INTEGER NOT NULL,
    offset INTEGER NOT NULL, stored INTEGER NOT NULL, plain INTEGER NOT NULL, objects INTEGER NOT NULL);
CREATE TABLE objects(digest BLOB NOT NULL, frame INTEGER NOT NULL, offset INTEGER NOT NULL,
    size INTEGER NOT NULL, PRIMARY KEY(digest, frame, offset)) WITHOUT ROWID;
CREATE TABLE blobs(id INTEGER PRIMARY KEY, digest BLOB NOT NULL, size INTEGER NOT NULL,
    recipe BLOB NOT NULL, recipe_size INTEGER NOT NULL, UNIQUE(digest, recipe));
"""
_LOCATE = """
SELECT frames.kind, objects.digest, packs.name, frames.id, frames.offset, frames.stored, frames.plain,
       frames.objects, objects.offset, objects.size
FROM objects JOIN frames ON frames.id = objects.frame JOIN packs ON packs.id = frames.pack
WHERE objects.digest IN ({marks}) ORDER BY objects.frame DESC
"""
_KEYS_OF = """
SELECT frames.kind, objects.digest, objects.size
FROM packs JOIN frames ON frames.pack = packs.id JOIN objects ON objects.frame = frames.id
WHERE packs.name = ?
"""
_PLACES_OF = """
SELECT frames.kind, frames.offset, frames.stored, frames.plain, frames.objects, objects.offset, objects.size,
       objects.digest
FROM packs JOIN frames ON frames.pack = packs.id JOIN objects ON objects.frame = frames.id
WHERE packs.name = ? ORDER BY frames.offset, objects.offset
"""
_FRAMES_OF = "SELECT id FROM frames WHERE pack = (SELECT id FROM packs WHERE name = ?)"


# What a table reads as, and runs without end or does something else when it is asked.
_FOREIGN = """
SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'
    OR sql LIKE '%GENERATED%' OR sql LIKE '% AS %'
"""

_SORTED = 50_000  # objects, some 10 MB


class ObjectIndex:
    """One SQLite database, safe to share between threads.

    Args:
        name: path of an existing file, or of one to create; empty for a temporary one.
        create: whether to lay out a new database.

    Raises:
        DamagedError: the file is not an index of this version.
    """

    def __init__(self, name: str = "", *, create: bool = True) -> None:
        self._lock = threading.RLock()
        with sqlite_errors("the store's index"):
            self._connection = connect(name, durable=bool(name))
            try:
                self._prepare(create=create)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, *, create: bool) -> None:
        if create:
            self._connection.executescript(_SCHEMA)
            self._connection.execute(f"PRAGMA user_version={_VERSION}")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version != _VERSION:
            raise DamagedError(f"the store's index is of version {version}", hint=REBUILD_HINT)
        if foreign := self._connection.execute(_FOREIGN).fetchone():
            raise DamagedError(f"the store's index has {foreign[0]!r}, which is no table", hint=REBUILD_HINT)
        self._connection.execute("SELECT 1 FROM packs, frames, objects, blobs LIMIT 1").fetchone()

    def locate(self, key: ObjectKey) -> list[Location]:
        """Every copy of an object as its kind, newest first."""
        return self.locate_all([key])[key]

    def locate_all(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, list[Location]]:
        """`locate` for many objects, at a fraction of the time for each."""
        found: dict[ObjectKey, list[Location]] = {key: [] for key in keys}
        digests = list({key.digest for key in found})
        for part in portions(digests):
            with self._lock, sqlite_errors("the store's index"):
                rows = self._connection.execute(_LOCATE.format(marks=marks(len(part))), part).fetchall()
            for kind, digest, *place in rows:
                copies = found.get(ObjectKey(kind, digest, place[-1]))
                if copies is not None:
                    copies.append(Location._make(place))
        return found

    def blob(self, digest: Digest) -> list[BlobRow]:
        """The recipes of a blob, newest first."""
        return [_blob_row(row) for row in self._rows("WHERE digest = ? ORDER BY id DESC", digest.raw)]

    def blobs(self) -> Iterator[BlobRow]:
        """The newest recipe of every blob, in the order of their digests; read in portions."""
        after = b""
        while rows := self._rows(
            "WHERE id IN (SELECT max(id) FROM blobs WHERE digest > ? GROUP BY digest"
            " ORDER BY digest LIMIT 500) ORDER BY digest",
            after,
        ):
            yield from map(_blob_row, rows)
            after = rows[-1][0]

    def recipes(self) -> Iterator[BlobRow]:
        """Every recipe of every blob; read in portions."""
        after = b"", b""
        while rows := self._rows("WHERE (digest, recipe) > (?, ?) ORDER BY digest, recipe LIMIT 500", *after):
            yield from map(_blob_row, rows)
            after = rows[-1][0], rows[-1][2]

    def packs(self) -> list[tuple[int, bytes, int]]:
        """Number, name and size of every pack."""
        with self._lock, sqlite_errors("the store's index"):
            return self._connection.execute("SELECT id, name, size FROM packs ORDER BY name").fetchall()

    def keys_of(self, pack: bytes) -> Iterator[ObjectKey]:
        """The objects of a pack; for the rare case that the pack itself cannot tell."""
        with self._lock, sqlite_errors("the store's index"):
            rows = self._connection.execute(_KEYS_OF, (pack,)).fetchall()
        return (ObjectKey(ObjectKind(kind), digest, size) for kind, digest, size in rows)

    def frames_of(self, pack: bytes) -> list[PackFrame]:
        """The frames of a pack, for when its own index is damaged.

        Raises:
            DamagedError: this one is damaged, too.
        """
        with self._lock, sqlite_errors("the store's index"):
            rows = self._connection.execute(_PLACES_OF, (pack,)).fetchall()
        grouped = groupby(rows, lambda row: row[:4])
        return [_frame(place, [row[-2:] for row in objects]) for place, objects in grouped]

    def agrees(self, pack: bytes, frames: Iterable[PackFrame]) -> bool:
        """Whether the index says of a pack what the pack itself says."""
        with self._lock, sqlite_errors("the store's index"):
            said = self._connection.execute(_PLACES_OF, (pack,))
            return all(mine == theirs for mine, theirs in zip_longest(said, _places(frames)))

    def count_objects(self) -> int:
        """How many objects there are, every copy counted."""
        with self._lock, sqlite_errors("the store's index"):
            count: int = self._connection.execute("SELECT coalesce(sum(objects), 0) FROM frames").fetchone()[
                0
            ]
        return count

    def faults(self) -> list[str]:
        """What SQLite finds wrong with its file."""
        with self._lock, sqlite_errors("the store's index"):
            rows = self._connection.execute("PRAGMA integrity_check(10)").fetchall()
        return [text for (text,) in rows if text != "ok"]

    def add(self, packs: Iterable[PackRows]) -> None:
        """Add packs, all or none; one that is known already stays as it is.

        Raises:
            StorageError: the disk is full or failed; the index is as before.
        """
        with self._transaction():
            for pack in packs:
                self._add_pack(pack)

    def replace(self, name: bytes, recipes: Iterable[bytes], packs: Iterable[PackRows]) -> None:
        """Exchange a pack for others in one step.

        Args:
            name: of the pack that goes.
            recipes: digests of the recipe objects that go with it; no blob has them any more.
            packs: those that come.

        Raises:
            StorageError: the disk is full or failed; the index is as before.
        """
        run = self._connection.execute
        with self._transaction():
            run(f"DELETE FROM objects WHERE frame IN ({_FRAMES_OF})", (name,))  # noqa: S608
            run(f"DELETE FROM frames WHERE id IN ({_FRAMES_OF})", (name,))  # noqa: S608
            run("DELETE FROM packs WHERE name = ?", (name,))
            for recipe in recipes:
                run("DELETE FROM blobs WHERE recipe = ?", (recipe,))
            for pack in packs:
                self._add_pack(pack)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, sqlite_errors("the store's index"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _add_pack(self, pack: PackRows) -> None:
        run = self._connection.execute
        run("INSERT OR IGNORE INTO packs(name, size) VALUES(?,0)", (pack.name,))
        run("UPDATE packs SET size = ? WHERE name = ?", (pack.size, pack.name))
        number = run("SELECT id FROM packs WHERE name = ?", (pack.name,)).fetchone()[0]
        # Frames are there already if the pack is known, but not if it could not be read when it was entered.
        if not run("SELECT 1 FROM frames WHERE pack = ? LIMIT 1", (number,)).fetchone():
            rows: list[tuple[bytes, int, int, int]] = []
            for frame in pack.frames:
                rows += self._add_frame(number, frame)
                if len(rows) >= _SORTED:
                    self._add_objects(rows)
            self._add_objects(rows)
        for blob in pack.blobs:
            run("DELETE FROM blobs WHERE digest = ? AND recipe = ?", (blob.digest, blob.recipe.digest))
            values = (blob.digest, blob.size, blob.recipe.digest, blob.recipe.size)
            run("INSERT INTO blobs(digest, size, recipe, recipe_size) VALUES(?,?,?,?)", values)

    def _add_frame(self, pack: int, frame: PackFrame) -> Iterator[tuple[bytes, int, int, int]]:
        """The rows of its objects, which are not added yet."""
        keys = list(frame.objects())
        added = self._connection.execute(
            "INSERT INTO frames(pack, kind, offset, stored, plain, objects) VALUES(?,?,?,?,?,?)",
            (pack, int(frame.kind), frame.offset, frame.stored, frame.plain, len(keys)),
        )
        number, at = added.lastrowid or 0, 0
        for key in keys:
            yield key.digest, number, at, key.size
            at += key.size

    def _add_objects(self, rows: list[tuple[bytes, int, int, int]]) -> None:
        """Many at once in the order of the table: each page of it is then changed once."""
        self._connection.executemany("INSERT INTO objects VALUES(?,?,?,?)", sorted(rows))
        rows.clear()

    def _rows(self, where: str, *values: object) -> list[tuple[bytes, int, bytes, int]]:
        with self._lock, sqlite_errors("the store's index"):
            sql = f"SELECT digest, size, recipe, recipe_size FROM blobs {where}"  # noqa: S608
            return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._connection.close()


def _frame(place: tuple[int, int, int, int], objects: list[tuple[int, bytes]]) -> PackFrame:
    kind, offset, stored, plain = place
    keys = (ObjectKey(ObjectKind(kind), digest, size) for size, digest in objects)
    return PackFrame(ObjectKind(kind), offset, stored, plain, b"".join(map(frame_entry, keys)))


def _places(frames: Iterable[PackFrame]) -> Iterator[tuple[int | bytes, ...]]:
    for frame in frames:
        at, keys = 0, list(frame.objects())
        for key in keys:
            place = (int(frame.kind), frame.offset, frame.stored, frame.plain, len(keys))
            yield *place, at, key.size, key.digest
            at += key.size


def _blob_row(row: tuple[bytes, int, bytes, int]) -> BlobRow:
    digest, size, recipe, recipe_size = row
    return BlobRow(digest, size, ObjectKey(ObjectKind.RECIPE, recipe, recipe_size))
