"""What a store writes down besides releases and blobs: ledger, journals of runs, keys. Is it readable?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from airstore.core.durable import storage_errors
from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, StorageError, UsageError
from airstore.core.parsing import strictjson
from airstore.core.parsing.checked import without_check
from airstore.history import ledger
from airstore.history.exchange.restoration import longest_ledger
from airstore.history.git.objects import ObjectDatabase
from airstore.ops.stores.directory import SITE, SITE_KEY, StoreDirectory
from airstore.ops.stores.noted import APPLIER, noted_faults
from airstore.ops.stores.releases.lost import NOTED, lost_refs
from airstore.ops.stores.site.ledgers import ledger_faults
from airstore.ops.stores.site.run_faults import RunsLook, look_at_runs, promised_faults
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.ssh.publickey import PublicKey

_UNCHECKED = [frozenset({"cluster", "name", "namespace", "since", "arrived"})]  # as older versions wrote it


def record_faults(store: StoreDirectory) -> Iterator[tuple[str, str]]:
    """What is wrong, and what cannot be done because of it.

    Raises:
        StorageError: the disk failed.
    """
    yield from _key_faults(store)
    yield from noted_faults(store)
    yield from _ref_faults(store)
    if store.side == SITE:
        yield from _trying(store.layout.applier, lambda _: read_applier(store), APPLIER)
        runs = look_at_runs(store)
        yield from runs.faults
        yield from _ledger_faults(store, runs)


def read_applier(store: StoreDirectory) -> dict[str, Any]:
    """Which applier in the cluster has a site's store; empty: none.

    Raises:
        DamagedError: the file is not what was written.
        StorageError: it cannot be read.
    """
    path = store.layout.applier
    with storage_errors(path):
        if not path.exists():
            return {}
        data = path.read_bytes()
    return without_check(strictjson.load_object(data, str(path)), str(path), _UNCHECKED)


def _ref_faults(store: StoreDirectory) -> Iterator[tuple[str, str]]:
    """A history that does not read is named by whoever reads it as a whole."""
    with suppress(NotFoundError):
        try:
            yield from ((lost.fault, lost.breaks) for lost in lost_refs(store))
        except DamagedError as fault:
            yield str(fault), NOTED


def _key_faults(store: StoreDirectory) -> Iterator[tuple[str, str]]:
    needed = (store.keys / SITE_KEY, store.keys / f"{SITE_KEY}.pub") if store.side == SITE else ()
    yield from ((f"{path} is missing", f"key {SITE_KEY}") for path in needed if not path.exists())
    for path in sorted(store.sites.glob("*.pub")):
        yield from _trying(path, PublicKey.load_named, f"site {path.stem}")
    for path in sorted(store.keys.glob("*.pub")):
        yield from _trying(path, _public, f"key {path.stem}")
    for path in sorted(store.keys.iterdir()) if store.keys.is_dir() else ():
        if not path.suffix:
            yield from _trying(path, _private, f"key {path.name}")


def _public(path: Path) -> None:
    with storage_errors(path):
        PublicKey.parse_openssh(path.read_bytes().decode(errors="replace"), str(path))


def _private(path: Path) -> None:
    try:
        PrivateKey.load(path)
    except UsageError as fault:
        if "passphrase" not in str(fault):  # nobody can look into it without, but for its public half
            raise DamagedError(str(fault)) from fault
    other = path.with_name(f"{path.name}.pub")
    if other.is_file():
        public = PublicKey.parse_openssh(other.read_text(errors="replace"), str(other))
        if not PrivateKey.names(path, public):
            raise DamagedError(f"{path} is not the key of {other.name}")


def _ledger_faults(store: StoreDirectory, runs: RunsLook) -> Iterator[tuple[str, str]]:
    """The ledger has a run before its journal says that it ended: without, something was lost."""
    said, promised = set[str](), dict[tuple[str, str], None]()
    try:
        for entry in ledger.entries(store.history):
            said.add(str(entry.details.get("run", "")))
            promised |= dict.fromkeys(promised_faults(store, entry))
    except StorageError:
        raise
    except AirstoreError as fault:
        yield f"the ledger: {fault}", "the ledger"
        return
    if not said and longest_ledger(ObjectDatabase(store.layout.history / "objects")):
        yield "the ledger's branch is missing, and its entries are there", "the ledger"
    yield from ((fault, "the ledger") for fault in ledger_faults(store))
    for run in sorted(runs.ended - said):
        yield f"the ledger lacks run {run}, whose journal says that it ended", "the ledger"
    for run in sorted(runs.silent & said):
        yield f"the journal of run {run} is gone, which the ledger has", f"run {run}"
    yield from ((fault, f"run {run}") for fault, run in promised)


def _trying(path: Path, read: Callable[[Path], object], breaks: str) -> Iterator[tuple[str, str]]:
    try:
        read(path)
    except StorageError:
        raise
    except AirstoreError as fault:
        yield str(fault), breaks
