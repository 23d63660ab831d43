"""A remote that a store is shared through, as a place to restore it from: its git server and its registry.

Nothing that either gives is believed: `ops.repair` verifies it as what media and other stores give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from airstore.core.durable import storage_errors
from airstore.core.errors import NotFoundError
from airstore.core.image.digest import Digest, verified
from airstore.core.pieces import pieces
from airstore.history.exchange.lending import Lender
from airstore.history.exchange.remote import RemoteGit
from airstore.history.git.names import HEADS, MAIN
from airstore.history.git.scratch import scratch
from airstore.ops.share.access import Access
from airstore.ops.share.branches.moves import PATTERNS, pending_commits
from airstore.ops.share.packs import Listing, RemotePacks
from airstore.ops.share.remotes import Remote
from airstore.ops.stores.directory import StoreDirectory
from airstore.store.blobs import BlobStore, PackFile, Staging

_Read = Callable[[Digest], Iterator[bytes]]


class RemoteSource:
    """One remote, as `airstore remote add` named it; reached when something is asked of it.

    Args:
        remote: which one.
        access: how it is reached.
    """

    def __init__(self, remote: Remote, access: Access) -> None:
        self._remote, self._access = remote, access
        self._git = RemoteGit(remote.git, access.environment)

    def __str__(self) -> str:
        return f"remote {self._remote.name}"

    @cached_property
    def _refs(self) -> Mapping[str, str]:
        return self._git.refs(*PATTERNS)

    def roots(self) -> Mapping[int, bytes]:
        """Trust roots by version, as they were signed; none of them is trusted."""
        found: dict[int, bytes] = {}
        with self._packs() as packs:
            for listing in self._listings(packs):
                found |= packs.read_roots(listing)
        return found

    @contextmanager
    def history(self, store: StoreDirectory) -> Iterator[Lender | None]:
        """Main, tags and branches of the git server; what is damaged here is not in the way."""
        with TemporaryDirectory(prefix="repair-", dir=_temporary(store)) as directory:
            made = scratch(Path(directory) / "fetched.git", store.layout.history)
            with storage_errors(made):
                (made / "objects" / "info" / "alternates").unlink()
            if MAIN in self._refs:
                self._git.fetch(made)
            branches = [ref for ref in self._refs if ref.startswith(HEADS) and ref != MAIN]
            if branches:
                self._git.fetch_branches(made, [ref.removeprefix(HEADS) for ref in branches])
            yield Lender(made, self._refs)

    @contextmanager
    def blobs(self, store: StoreDirectory, held: BlobStore, wanted: Collection[Digest]) -> Iterator[_Read]:  # noqa: ARG002
        """Blobs out of the registry's packs: those that are not whole here are fetched."""
        with TemporaryDirectory(prefix="repair-", dir=_temporary(store)) as directory, self._packs() as packs:
            listed = {pack.digest: pack for listing in self._listings(packs) for pack in listing.packs}
            elsewhere = held.partial.names  # what is here only in part is read there anyway
            lacking = [
                p for p in listed.values() if p.digest.raw not in elsewhere and not _is_whole(store, p)
            ]
            files = [_fetch(packs, pack, Path(directory)) for pack in lacking]
            with Staging(held, files, hashed=True, rehearse=True) as staging:

                def read(digest: Digest) -> Iterator[bytes]:
                    if staging.missing([digest]):
                        raise NotFoundError("its packs do not have it")
                    return staging.read(digest)

                yield read

    @contextmanager
    def _packs(self) -> Iterator[RemotePacks]:
        with closing(RemotePacks(self._remote, self._access.registries)) as packs:
            yield packs

    def _listings(self, packs: RemotePacks) -> Iterator[Listing]:
        """Of main, and of each pending release, whose packs main's need not have."""
        tips = [*([self._refs[MAIN]] if MAIN in self._refs else []), *pending_commits(self._refs)]
        for commit in tips:
            if listing := packs.listing(commit):
                yield listing


def _fetch(packs: RemotePacks, pack: PackFile, directory: Path) -> Path:
    """A pack, under the name that says what is in it.

    Raises:
        DamagedError: other bytes came.
        IncompleteError: the registry has lost it.
    """
    path = directory / f"{pack.digest.hex}.pack"
    with storage_errors(path), path.open("wb") as file, closing(packs.download(pack)) as chunks:
        for chunk in verified(chunks, pack.digest, pack.size, str(pack.digest)):
            file.write(chunk)
    return path


def _is_whole(store: StoreDirectory, pack: PackFile) -> bool:
    path, running = store.layout.pack(pack.digest.raw), hashlib.sha256()
    with storage_errors(path):
        if not path.is_file() or path.stat().st_size != pack.size:
            return False
        with path.open("rb") as file:
            for data in pieces(file, pack.size):
                running.update(data)
    return running.digest() == pack.digest.raw


def _temporary(store: StoreDirectory) -> Path:
    with storage_errors(store.layout.temporary):
        store.layout.temporary.mkdir(exist_ok=True)
    return store.layout.temporary
