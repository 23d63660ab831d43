"""Media over a line: fetched from a registry or a web server, a directory then like one from a carrier."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from airstore.core.durable import exclusive_lock, make_directory, storage_errors, write_file
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError, StorageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.core.pieces import pieces
from airstore.core.progress import Advance, Progress
from airstore.media.index import INDEX_NAME, MediaIndex, root_path
from airstore.media.reader import Content, Media
from airstore.media.volumes.slices import volume_names
from airstore.ops.media.offer import check_index
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import is_held
from airstore.trust.state import TrustState

if TYPE_CHECKING:
    from airstore.registry.client.files import RemoteFiles

_FETCHED = "fetched-"
_FIRST = ("", "volume-1/", "volume-01/", "volume-001/")  # where the index may be


@frozen
class Fetched:
    """Media that were fetched.

    Attributes:
        source: where from, for people.
        directory: of media; None where the site holds their release as a whole already.
        index: signed.
    """

    source: str
    directory: Path | None
    index: MediaIndex


def is_address(text: str) -> bool:
    """Whether an argument names media elsewhere, and no directory."""
    return text.startswith(("oci:", "https:", "http:"))


def fetch_media(store: StoreDirectory, address: str, access: RegistryOptions, progress: Progress) -> Fetched:
    """Fetch media into the store's ``tmp/``, each file verified against the signed index; resumes.

    Trust roots and index come first: what this site would not import is not fetched. What is fetched is read
    and verified once more by the import, as from a carrier.

    Args:
        store: a site's.
        address: see `open_files`.
        access: how registries and web servers are reached.
        progress: shows what is fetched.

    Raises:
        NotFoundError: there are no media.
        NotTrustedError, SequenceError, IncompleteError: what an import would say of the index.
        DamagedError: a file is not what the index says.
        TransferError: a server refused or broke off; what arrived stays for the next call.
        StorageError: the disk is full.
        LockedError: another process fetches them.
    """
    from airstore.ops.share.places import open_files  # noqa: PLC0415 - carriers need no HTTP client

    files = open_files(address, access)
    try:
        return _Fetch(store, address, files, progress).run()
    finally:
        files.close()


def drop_fetched(store: StoreDirectory) -> None:
    """Remove what was fetched, and what earlier calls left.

    Raises:
        StorageError: the disk failed.
    """
    where = store.layout.temporary
    with storage_errors(where):
        for left in where.glob(f"{_FETCHED}*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


class _Fetch:
    """One fetch: its inputs, and the steps in their order."""

    def __init__(self, store: StoreDirectory, address: str, files: RemoteFiles, progress: Progress) -> None:
        self._store, self._address = store, address
        self._files, self._progress = files, progress
        self._first = ""  # where the index is: in the directory, or in its first volume

    def run(self) -> Fetched:
        envelope = self._envelope()
        if envelope is None:
            raise NotFoundError(
                f"{self._address} holds no airstore media: {INDEX_NAME} is missing",
                hint="name the directory that `airstore media create` wrote, as the server has it",
            )
        where = self._store.layout.temporary / f"{_FETCHED}{Digest.of(envelope).hex[:16]}"
        with storage_errors(where):
            make_directory(where)
        write_file(where / INDEX_NAME, envelope)
        self._bring_roots(where)
        media = Media(where)
        chain = self._store.trust().walked(media.roots())
        index = media.trusted_index(chain.current.media_role)
        if self._is_held(index):
            return Fetched(self._address, None, index)
        check_index(self._store, index, chain)
        with exclusive_lock(where.with_suffix(".lock")):
            self._bring(where, index.content_pieces, self._places(index))
        return Fetched(self._address, where, index)

    def _envelope(self) -> bytes | None:
        """The index; on a web server volumes may be side by side, each with a copy."""
        for self._first in _FIRST:
            envelope = self._files.small(self._first + INDEX_NAME, LIMITS.media_index)
            if envelope is not None:
                return envelope
        return None

    def _places(self, index: MediaIndex) -> Mapping[str, str]:
        """Where each file or slice is at the source, by its name on the carriers."""
        if not self._first:
            return {name: name for name in index.content_pieces}
        names = volume_names(len(index.volumes))
        return {
            index.lies_at(piece): f"{directory}/{index.lies_at(piece)}"
            for directory, volume in zip(names, index.volumes, strict=True)
            for piece in volume
        }

    def _is_held(self, index: MediaIndex) -> bool:
        history, commit = self._store.history, index.release.commit
        trusted = TrustState.load(self._store.state_file).release == index.release.digest
        if not trusted or not history.on_main(commit):
            return False
        with self._store.open_blobs() as blobs:
            return is_held(blobs, history.release(commit))

    def _bring_roots(self, where: Path) -> None:
        """All that there are: the index does not list them, they say who may sign it."""
        held = self._store.trust()
        first = 1 if self._root(where, 1) else held.oldest.version
        for version in range(max(first, 2), first + LIMITS.trust_roots):
            if not self._root(where, version) and version > held.current.version:
                break

    def _root(self, where: Path, version: int) -> bool:
        signed = self._files.small(self._first + root_path(version), LIMITS.trust_root)
        if signed is not None:
            with storage_errors(where):
                make_directory(where / "roots")
            write_file(where / root_path(version), signed)
        return signed is not None

    def _bring(self, where: Path, wanted: Mapping[str, Content], places: Mapping[str, str]) -> None:
        lacking = sum(file.size for path, file in wanted.items()) - sum(
            _size(where / path) for path in wanted
        )
        free = shutil.disk_usage(where).free
        if free < lacking:
            raise StorageError(
                f"{self._store.path} has {free} bytes free; fetching these media needs {lacking}",
                hint="free some space and run the same command again",
            )
        total = sum(file.size for file in wanted.values())
        with self._progress.task(f"fetching {self._address}", total) as advance:
            for path, file in sorted(wanted.items()):
                self._bring_one(where / path, places.get(path, path), file, advance)

    def _bring_one(self, to: Path, path: str, file: Content, advance: Advance) -> None:
        begun = min(_size(to), file.size)
        if self._take(to, path, file, begun, advance):
            return
        if begun == 0 or not self._take(to, path, file, 0, advance):
            raise DamagedError(
                f"{self._address}: {path} has other content than the signed index says",
                hint="the publisher should push the media again; nothing was imported",
            )

    def _take(self, to: Path, path: str, file: Content, begun: int, advance: Advance) -> bool:
        """Append what is lacking of a file; whether it is then what the index says, else it is removed."""
        running = hashlib.sha256()
        with storage_errors(to):
            make_directory(to.parent)
            with to.open("r+b" if begun else "wb") as out:
                for chunk in pieces(out, begun):
                    running.update(chunk)
                    advance(len(chunk))
                out.truncate(begun)
                for chunk in self._rest(path, file, begun):
                    running.update(chunk)
                    out.write(chunk)
                    advance(len(chunk))
        good = running.digest() == file.digest.raw
        if not good:
            to.unlink()
        return good

    def _rest(self, path: str, file: Content, begun: int) -> Iterator[bytes]:
        if begun == file.size:
            return
        try:
            yield from self._files.read(path, file.size, begun)
        except NotFoundError as fault:
            raise IncompleteError(
                f"{self._address} lacks {path}, which its signed index lists",
                hint="name the directory that has all volumes, not one of them; or else the publisher should "
                "push the media again; nothing was imported",
            ) from fault


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
