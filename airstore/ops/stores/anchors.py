"""A site's anchor: its high-water mark outside of the store, so that a restored snapshot of it is noticed.

The anchor never goes back: of sequence and entries each the larger one stays, but where a trust root disowns
releases. The store is written first, so an anchor that is behind it says only that a run ended early.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import (
    AirstoreError,
    NotTrustedError,
    SequenceError,
    StorageError,
    UsageError,
)
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.history import ledger
from airstore.ops.stores import ledgers
from airstore.ops.stores.directory import StoreDirectory
from airstore.trust.mark import Mark
from airstore.trust.root.chain import RootChain

if TYPE_CHECKING:
    from airstore.cluster.api.objects import Objects

ANCHOR = "whether this store is an old copy"  # what nobody can say without it
_FILE, _MAP = "file://", "configmap:"
_KEY = "mark.json"
_GONE = (
    "find out who removed it; once you know that this store is no old copy, `airstore anchor set {0}` writes"
    " it again"
)


class AnchorPlace(Protocol):
    """Where an anchor is."""

    def read(self) -> bytes | None:
        """What is there; None where nothing is."""

    def write(self, data: bytes) -> None:
        """Put this there, durably."""


class FileAnchor:
    """A file outside of the store, such as on another disk or a mounted share."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """See `AnchorPlace`."""
        with storage_errors(self._path):
            try:
                with self._path.open("rb") as file:
                    return file.read(LIMITS.key_file + 1)
            except FileNotFoundError:
                return None

    def write(self, data: bytes) -> None:
        """See `AnchorPlace`."""
        with storage_errors(self._path):
            if not self._path.parent.is_dir():  # a share that is not mounted must not become a directory here
                raise StorageError(f"cannot write the anchor {self._path}: there is no {self._path.parent}")
        write_file(self._path, data, mode=0o644)


class ConfigMapAnchor:
    """A ConfigMap of the site's cluster."""

    def __init__(self, namespace: str, name: str, kubeconfig: Path | None) -> None:
        self._namespace, self._name, self._kubeconfig = namespace, name, kubeconfig

    def read(self) -> bytes | None:
        """See `AnchorPlace`."""
        with self._objects() as objects:
            found = objects.get("v1", "ConfigMap", self._name, self._namespace)
        text = (found.get("data") or {}).get(_KEY) if found else None
        return str(text).encode() if text is not None else None

    def write(self, data: bytes) -> None:
        """See `AnchorPlace`."""
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "data": {_KEY: data.decode()},
        }
        with self._objects() as objects:
            objects.apply(document)

    @contextmanager
    def _objects(self) -> Iterator[Objects]:
        from airstore.cluster.api.connection import connect  # noqa: PLC0415 - loads kubernetes, which few need
        from airstore.cluster.api.objects import Objects  # noqa: PLC0415

        with connect(self._kubeconfig, retry_for=0) as connection:
            yield Objects(connection)


def place_of(store: StoreDirectory, named: str) -> AnchorPlace:
    """The place that a name is of: ``file:///PATH`` or ``configmap:NAMESPACE/NAME``.

    Raises:
        UsageError: it is no such name, or within the store.
    """
    namespace, slash, name = named.removeprefix(_MAP).partition("/")
    if named.startswith(f"{_FILE}/"):
        path = Path(named.removeprefix(_FILE))
        if path.resolve().is_relative_to(store.path.resolve()):
            raise UsageError(
                f"the anchor {path} is within the store, and would be restored with it",
                hint="name a file on another disk, or a ConfigMap",
            )
        return FileAnchor(path)
    if named.startswith(_MAP) and namespace and slash and name:
        return ConfigMapAnchor(namespace, name, store.kubeconfig)
    raise UsageError(
        f"{named[:100]!r} is no place for an anchor", hint="file:///PATH or configmap:NAMESPACE/NAME"
    )


def read_anchor(store: StoreDirectory, named: str = "") -> Mark | None:
    """What the anchor says; None where nothing is there.

    Raises:
        DamagedError, NotTrustedError: it is not what this site wrote.
        StorageError, TransferError, NotFoundError: it cannot be asked.
    """
    named = named or store.anchor
    data = place_of(store, named).read()
    return None if data is None else Mark.parse(data, ledgers.public_key(store), f"the anchor {named}")


def required_anchor(store: StoreDirectory) -> Mark:
    """What the anchor of this store says.

    Raises:
        NotTrustedError: it is gone, or not what this site wrote.
        DamagedError, StorageError, TransferError, NotFoundError: as `read_anchor`.
    """
    found = read_anchor(store)
    if found is None:
        raise NotTrustedError(f"the anchor {store.anchor} is gone", hint=_GONE.format(store.anchor))
    return found


def advance(store: StoreDirectory, when: int) -> None:
    """Have the store's mark say how far it has come, and the anchor after it, which never goes back.

    Raises:
        StorageError, TransferError, NotFoundError: the anchor cannot be written; the store is as it was made.
    """
    own = ledgers.write_mark(store, when)
    if store.anchor:
        mark = _higher(own, required_anchor(store), store.trust())
        place_of(store, store.anchor).write(mark.to_bytes(ledgers.site_key(store)))


def record(store: StoreDirectory, entry: ledger.Entry, after: int | None = None) -> None:
    """Append a signed entry to the ledger, then move mark and anchor on.

    Args:
        store: a site's, locked.
        entry: what was done.
        after: how many entries there were before, where some are lost.

    Raises:
        NotFoundError, NotTrustedError, UsageError: the site's key cannot be used.
        DamagedError: the entry before does not read.
        StorageError, TransferError: disk, or anchor, cannot be written.
    """
    ledgers.append(store, entry, after)
    advance(store, entry.when)


def accept_lost(store: StoreDirectory, lost: tuple[int, int], when: int) -> None:
    """Have the ledger say that entries are lost, and go on from there; what it has stays as it is.

    Raises:
        NotFoundError, NotTrustedError, UsageError: the site's key cannot be used.
        StorageError: the disk is full or failed.
    """
    first, last = lost
    newest = next(ledger.entries(store.history), None)
    details: dict[str, str | int] = {"first": first, "last": last}
    version = newest.version if newest else ledger.ADOPTED
    record(store, ledger.Entry(ledger.GAP, version, "succeeded", when, details), after=last)


def place_anchor(store: StoreDirectory, named: str, when: int) -> None:
    """Write the anchor at a new place.

    Raises:
        SequenceError: there is one of this site already, which this store is behind.
        NotTrustedError: there is one of another site.
        UsageError: the name is none.
    """
    found = read_anchor(store, named)
    own = ledgers.write_mark(store, when)
    faults = list(_behind(own, found, store.trust(), named)) if found else []
    if faults:
        raise SequenceError(faults[0], hint=_way_out())
    place_of(store, named).write(own.to_bytes(ledgers.site_key(store)))


def anchor_faults(store: StoreDirectory) -> Iterator[str]:
    """What the anchor says against this store."""
    if not store.anchor:
        return
    try:
        found = read_anchor(store)
        if found is None:
            yield f"the anchor {store.anchor} is gone: nobody can say whether this store is an old copy"
        else:
            yield from _behind(ledgers.own_mark(store), found, store.trust(), store.anchor)
    except AirstoreError as fault:
        yield f"the anchor {store.anchor}: {fault}"


def require_anchored(store: StoreDirectory) -> None:
    """Refuse to act on a store that its anchor is ahead of: what it trusts, and what it says runs, is old.

    Raises:
        SequenceError: it is.
        NotTrustedError: the anchor is gone.
        AirstoreError: it cannot be asked, or is not what this site wrote.
    """
    if not store.anchor:
        return
    found = required_anchor(store)
    faults = list(_behind(ledgers.own_mark(store), found, store.trust(), store.anchor))
    if faults:
        raise SequenceError("; ".join(faults), hint=_way_out())


def lost_beyond(store: StoreDirectory) -> tuple[int, int] | None:
    """First and last number of the ledger entries that are lost, as the mark or the anchor says."""
    lost, have = ledgers.lost_entries(store), ledgers.own_mark(store).entries
    anchor = required_anchor(store) if store.anchor else None
    if anchor and anchor.entries > max(have, lost[1] if lost else 0):
        return have + 1, anchor.entries
    return lost


def _behind(own: Mark, anchor: Mark, chain: RootChain, named: str) -> Iterator[str]:
    """What an anchor knows that the store does not."""
    if anchor.site != own.site:
        yield f"the anchor {named} is of site {anchor.site}"
        return
    old = f"this store is older than its anchor {named} of {_moment(anchor.when)}, as a restored backup is:"
    if anchor.root_version > own.root_version:
        yield f"{old} trust root {anchor.root_version} was in force, here it is {own.root_version}"
    if not _disowned(anchor, chain):
        if anchor.sequence > own.sequence:
            yield f"{old} sequence {anchor.sequence} was trusted, here it is {own.sequence}"
        elif anchor.sequence == own.sequence and anchor.release != own.release:
            yield f"the anchor {named} knows another release with sequence {own.sequence}: one is forged"
    if anchor.entries > own.entries:
        yield f"{old} the ledger had {anchor.entries} entries, here it has {own.entries}"
    elif anchor.entries == own.entries and anchor.entry != own.entry:
        yield f"the anchor {named} knows another ledger entry {own.entries}: this store went its own way"


def _disowned(anchor: Mark, chain: RootChain) -> bool:
    """Whether a trust root that came after the anchor takes back what the anchor names."""
    later = (root for root in chain.roots if root.version > anchor.root_version and root.after)
    return any(root.after.sequence < anchor.sequence for root in later if root.after)


def _higher(own: Mark, anchor: Mark, chain: RootChain) -> Mark:
    if anchor.sequence > own.sequence and not _disowned(anchor, chain):
        own = replace(own, sequence=anchor.sequence, release=anchor.release)
    if anchor.entries > own.entries:
        own = replace(own, entries=anchor.entries, entry=anchor.entry)
    return replace(own, root_version=max(own.root_version, anchor.root_version))


def _way_out() -> str:
    return (
        "nothing has to go: import media for that release or a later one (the publisher makes them again),"
        " and run `airstore repair --from COPY` with a newer copy of this store for the ledger; where"
        " there is none, `airstore repair --accept-lost-entries`"
    )


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def set_anchor(store: StoreDirectory, named: str, when: int) -> None:
    """Place the anchor and have the store's configuration name it; an empty name lets go of it.

    Raises:
        SequenceError, NotTrustedError, UsageError: as `place_anchor`.
        StorageError: the disk is full or failed.
    """
    if named:
        place_anchor(store, named, when)
    config = store.layout.config
    document = strictjson.load_object(config.read_bytes(), str(config))
    document.pop("anchor", None)
    write_file(config, strictjson.dumps(document | ({"anchor": named} if named else {})), mode=0o644)
