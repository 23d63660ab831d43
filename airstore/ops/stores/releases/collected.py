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
        document = strictjson.load_object(path.read_bytes(), str(path))
        schema.check_json(document, "collected", str(path))
        return {Digest(each["digest"]): str(each["version"]) for each in document["releases"]}
    except DamagedError as fault:
        raise DamagedError(str(fault), hint=WAY_OUT) from fault


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
    rows = [{"digest": str(digest), "version": version} for digest, version in releases.items()]
    document: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "Collected", "releases": rows}
    write_file(path, strictjson.dumps(document), mode=0o644, disk=store.disk)


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


def _is_whole(store: StoreDirectory, blobs: BlobStore, version: str) -> bool:
    """A release that a trust root has taken out of the history stays on the list."""
    ref = store.history.lookup(version)
    return ref is not None and all(
        blobs.size(digest) is not None for digest in store.history.release(ref.commit).blobs()
    )
