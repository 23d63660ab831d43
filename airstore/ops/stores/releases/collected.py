"""``collected.json``: the releases whose content `airstore gc` dropped.

Their commits stay, signed as they were. The file is what tells a release that was dropped on purpose from
one that is damaged; it is written before anything is dropped. A release whose content came back is no longer
in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airstore.core.durable import write_file
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.model.release import API_VERSION
from airstore.core.parsing import schema, strictjson
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.verify import RELEASE_FILE
from airstore.store.blobs import BlobStore

FILE = "collected.json"
WHAT = "what `airstore gc` dropped"
WAY_OUT = "`airstore gc --keep N` writes it again, for the releases that it drops"


def collected(store: StoreDirectory) -> Mapping[Digest, str]:
    """Versions of releases whose content was dropped, by the digest of their ``release.json``.

    Raises:
        DamagedError: the file does not read.
    """
    path = store.path / FILE
    if not path.exists():
        return {}
    try:
        return parse_list(path.read_bytes(), str(path))
    except DamagedError as fault:
        raise DamagedError(str(fault), hint=WAY_OUT) from fault


def parse_list(data: bytes, what: str) -> dict[Digest, str]:
    """Versions by the digest of their ``release.json``, from a list as `write_list` makes it.

    Raises:
        DamagedError: it does not read.
    """
    document = strictjson.load_object(data, what)
    schema.check_json(document, "collected", what)
    return {Digest(each["digest"]): str(each["version"]) for each in document["releases"]}


def write_list(releases: Mapping[Digest, str]) -> bytes:
    """The list as JSON."""
    rows = [{"digest": str(digest), "version": version} for digest, version in releases.items()]
    document: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "Collected", "releases": rows}
    return strictjson.dumps(document)


def list_state(store: StoreDirectory) -> object:
    """Equal as long as nobody has written the list anew."""
    try:
        found = (store.path / FILE).stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def mark(store: StoreDirectory, releases: Mapping[Digest, str]) -> None:
    """Say which releases are collected; these, and no others. The caller holds the store's lock.

    Raises:
        StorageError: the disk is full or failed; the file is as it was.
    """
    path = store.path / FILE
    if not releases:
        path.unlink(missing_ok=True)
        return
    write_file(path, write_list(releases), mode=0o644, disk=store.disk)


def forget_whole(store: StoreDirectory, blobs: BlobStore) -> list[str]:
    """Take releases off the list whose content is here again; returns their versions.

    A list that does not read stays as it is: `check` names it.

    Raises:
        DamagedError: a release that it names does not read.
        StorageError: the disk is full or failed.
    """
    try:
        there = collected(store)
    except DamagedError:
        return []
    whole = {digest: version for digest, version in there.items() if _is_whole(store, blobs, version)}
    if whole:
        mark(store, {digest: version for digest, version in there.items() if digest not in whole})
    return list(whole.values())


def whole_of(store: StoreDirectory, releases: Mapping[Digest, str]) -> list[str]:
    """Versions of those of some releases whose content is here as a whole.

    Raises:
        DamagedError: a release that is named does not read.
    """
    with store.open_blobs() as blobs:
        return [version for version in releases.values() if _is_whole(store, blobs, version)]


def mark_dropped(store: StoreDirectory, blobs: BlobStore, dropped: Mapping[Digest, str]) -> list[str]:
    """Put releases on the list that others have dropped, as far as they are not whole here; their versions.

    That a release is on the list says no more than that its content may be absent; what is there is there.

    Raises:
        DamagedError: the list, or a release that it names, does not read.
        StorageError: the disk is full or failed.
    """
    there = collected(store)
    news = {
        digest: version
        for digest, version in dropped.items()
        if digest not in there and _is_absent(store, blobs, digest, version)
    }
    if news:
        mark(store, {**there, **news})
    return list(news.values())


def _is_absent(store: StoreDirectory, blobs: BlobStore, digest: Digest, version: str) -> bool:
    ref = store.history.lookup(version)
    if ref is None or Digest.of(store.history.read(ref.commit, RELEASE_FILE)) != digest:
        return False
    return not _is_whole(store, blobs, version)


def _is_whole(store: StoreDirectory, blobs: BlobStore, version: str) -> bool:
    """A release that a trust root has taken out of the history stays on the list."""
    ref = store.history.lookup(version)
    return ref is not None and all(
        blobs.size(digest) is not None for digest in store.history.release(ref.commit).blobs()
    )
