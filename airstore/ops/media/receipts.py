"""Receipts: the signed statement a site gives back, and how a publisher reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from airstore.core.errors import DamagedError, NotFoundError, NotTrustedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import API_VERSION
from airstore.core.model.release_id import ReleaseId
from airstore.core.parsing import schema
from airstore.history import ledger
from airstore.ops.stores.directory import SITE_KEY, StoreDirectory, check_site_name
from airstore.ops.stores.noted import noting
from airstore.ops.stores.releases.remembered import Remembered
from airstore.ops.stores.site.applies import PastApply, moment, past_applies, seconds_of
from airstore.store.blobs import BlobStore
from airstore.trust import envelope
from airstore.trust.root.sign import Role
from airstore.trust.ssh.keys import PrivateKey, PublicKey
from airstore.trust.state import TrustState
from airstore.trust.statement import (
    DATED_RECEIPT,
    RECEIPT,
    STATEMENT_TYPE,
    TIMED_RECEIPT,
    Statement,
    statement,
    verify_statement,
)

_REGISTER = "register it: `airstore site add NAME FILE`, with keys/site.pub of the site's store"
_DATED = frozenset({"time", "runs"})
_SAYS = _DATED | {"applies"}
_FIELDS = {RECEIPT: frozenset[str](), DATED_RECEIPT: _DATED, TIMED_RECEIPT: _SAYS}


@frozen
class Receipt:
    """What a site holds.

    Attributes:
        product: empty before the first import.
        release: the newest release it trusts; None before the first import.
        blobs: blobs it can rebuild, sorted.
        when: seconds since the epoch, by the site's clock; None in receipts of before they said so.
        runs: the release that it applied last, and when; None where it applied none, or does not say.
        applies: the last ones that ended, newest first; none in receipts that do not say.
    """

    site: str
    product: str
    release: ReleaseId | None
    blobs: tuple[Digest, ...]
    when: int | None = None
    runs: tuple[str, int] | None = None
    applies: tuple[PastApply, ...] = ()


def write_receipt(store: StoreDirectory, blobs: BlobStore, now: int) -> bytes:
    """Make the signed receipt of this site; a DSSE envelope.

    Args:
        store: the site's.
        blobs: its blobs.
        now: seconds since the epoch.

    Raises:
        DamagedError: the ledger cannot be read.
    """
    applies = past_applies(store.history)
    receipt = replace(observe(store, blobs), when=now, runs=_runs(store), applies=applies)
    subjects = {"root.json": Digest.of_file(store.root_file)}
    if receipt.release:
        subjects["release.json"] = receipt.release.digest
    key = PrivateKey.load(store.keys / SITE_KEY, None)
    kind = TIMED_RECEIPT if applies else DATED_RECEIPT
    return envelope.sign(statement(kind, subjects, _to_json(receipt)), STATEMENT_TYPE, [key])


def observe(store: StoreDirectory, blobs: BlobStore) -> Receipt:
    """What this site holds now."""
    state = TrustState.load(store.state_file)
    product = store.trust_root().product
    if state.release is None or state.commit is None:
        return Receipt(store.name, product, None, ())
    release = store.history.release(state.commit)
    current = ReleaseId(release.version, release.sequence, state.release, state.commit)
    return Receipt(store.name, product, current, tuple(sorted(_held(store, blobs))))


def read_receipt(store: StoreDirectory, path: Path) -> Receipt:
    """Verify a receipt against the sites this publisher knows.

    Raises:
        NotFoundError: no such file.
        NotTrustedError: an unknown site, or not signed by its key.
        DamagedError: malformed.
    """
    what = f"receipt {path}"
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read {what}: {fault.strerror}") from fault
    keys = tuple(_site_keys(store))
    if not keys:
        raise NotTrustedError(f"{what}: this publisher knows no site", hint=_REGISTER)
    name, parsed = _first_match(data, keys, what)
    receipt = _of(parsed, what)
    if receipt.site != name:
        raise NotTrustedError(f"{what} speaks for site {receipt.site!r} but is signed by site {name!r}")
    return receipt


def add_site(store: StoreDirectory, name: str, key_file: Path) -> PublicKey:
    """Register a site's public key at a publisher.

    Raises:
        NotFoundError: no such file.
        UsageError: the site is known with another key, or the name cannot be used.
        DamagedError: not a public key.
    """
    check_site_name(name)
    try:
        key = PublicKey.parse_openssh(key_file.read_text(errors="replace"), f"{key_file}")
    except OSError as fault:
        raise NotFoundError(f"cannot read {key_file}: {fault.strerror}") from fault
    path = store.sites / f"{name}.pub"
    if path.exists() and PublicKey.parse_openssh(path.read_text()) != key:
        raise UsageError(
            f"site {name!r} is registered with another key",
            hint=f"if its key really changed: airstore site remove {name}, then add it again",
        )
    if not path.exists():
        with noting(store, path):
            key.save_named(path, name)
    return key


def list_sites(store: StoreDirectory) -> list[tuple[str, PublicKey]]:
    """Registered sites by name."""
    return list(_site_keys(store))


def _site_keys(store: StoreDirectory) -> Iterator[tuple[str, PublicKey]]:
    for path in sorted(store.sites.glob("*.pub")):
        yield path.stem, PublicKey.load_named(path)


def _first_match(data: bytes, keys: tuple[tuple[str, PublicKey], ...], what: str) -> tuple[str, Statement]:
    refused: NotTrustedError | None = None
    for name, key in keys:
        try:
            return name, verify_statement(data, RECEIPT, Role((key,), 1), what, DATED_RECEIPT, TIMED_RECEIPT)
        except NotTrustedError as fault:
            refused = fault
    raise NotTrustedError(f"{what} is not signed by any registered site", hint=_REGISTER) from refused


def _held(store: StoreDirectory, blobs: BlobStore) -> Iterator[Digest]:
    """Of releases that were verified before, what each brought; the others are read."""
    seen: set[Digest] = set()
    history, known = store.history, Remembered(store, store.trust_root()).load()
    for link in history.links({commit: summary.link for commit, summary in known.items()}):
        summary = known.get(link.commit)
        for digest in summary.added if summary else history.release(link.commit).blobs():
            if digest not in seen and blobs.size(digest) is not None:
                seen.add(digest)
                yield digest


def _to_json(receipt: Receipt) -> dict[str, Any]:
    applies = [each.to_json() for each in receipt.applies]
    return {
        "apiVersion": API_VERSION,
        "kind": "Receipt",
        "site": receipt.site,
        "product": receipt.product,
        "release": receipt.release.to_json() if receipt.release else None,
        "blobs": [str(digest) for digest in receipt.blobs],
        "time": moment(receipt.when or 0),
        "runs": {"release": receipt.runs[0], "since": moment(receipt.runs[1])} if receipt.runs else None,
        **({"applies": applies} if applies else {}),
    }


def _runs(store: StoreDirectory) -> tuple[str, int] | None:
    entry = ledger.running(store.history)
    return (entry.version, entry.when) if entry and ledger.is_release(entry.version) else None


def _of(parsed: Statement, what: str) -> Receipt:
    document = dict(parsed.predicate)
    schema.check_json(document, "receipt", what)
    if _SAYS & document.keys() != _FIELDS[parsed.predicate_type]:
        raise DamagedError(
            f"{what}: {TIMED_RECEIPT} has time, runs and applies, {DATED_RECEIPT} time and runs"
        )
    release, runs = document["release"], document.get("runs")
    return Receipt(
        site=document["site"],
        product=document["product"],
        release=ReleaseId.parse(release) if release else None,
        blobs=tuple(Digest(text) for text in document["blobs"]),
        when=seconds_of(document["time"], what) if "time" in document else None,
        runs=(runs["release"], seconds_of(runs["since"], what)) if runs else None,
        applies=tuple(PastApply.parse(each, what) for each in document.get("applies", ())),
    )
