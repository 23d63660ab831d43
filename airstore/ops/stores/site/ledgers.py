"""A site's ledger, signed and chained: written, verified, and compared with how far it had come."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property

from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import AirstoreError, DamagedError, NotTrustedError, SequenceError, StorageError
from airstore.core.frozen import frozen
from airstore.deploy.model.redact import Hide, keyed
from airstore.history import ledger, sealed
from airstore.history.repository import History
from airstore.history.sealed import LedgerPlace, Sealed
from airstore.ops.stores.directory import SITE_KEY, StoreDirectory
from airstore.trust.mark import Mark
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.state import TrustState

NAMESPACE = "airstore-ledger"
_REDACTION = b"airstore: the key that digests of Secrets are made with, version 1"
_WAY_OUT = (
    "`airstore repair`, with --from COPY, a copy of this site's store, where the entries are not here any"
    " more; where nobody has them, --accept-lost-entries continues without them, and the ledger says so"
)


def site_key(store: StoreDirectory) -> PrivateKey:
    """The key that signs for this site.

    Raises:
        NotFoundError, NotTrustedError, UsageError: it cannot be used.
    """
    return PrivateKey.load(store.keys / SITE_KEY, None)


def redaction(store: StoreDirectory) -> Hide:
    """What stands in place of secrets in this site's ledger.

    The key follows from a signature of the site's key, which is the same each time: nothing else is to be
    kept secret, or lost. Nothing that the site ever shows is such a signature.

    Raises:
        NotFoundError, NotTrustedError, UsageError: the site's key cannot be used.
    """
    return keyed(hashlib.sha256(site_key(store).sign(_REDACTION)).digest())


def append(store: StoreDirectory, entry: ledger.Entry, after: int | None = None) -> None:
    """Append a signed entry to the ledger; `.anchors.record` moves mark and anchor on after it.

    Args:
        store: a site's, locked.
        entry: what was done.
        after: how many entries there were before, where some are lost.

    Raises:
        NotFoundError, NotTrustedError, UsageError: the site's key cannot be used.
        DamagedError: the entry before does not read.
        StorageError: the disk is full or failed.
    """
    key = site_key(store)
    ledger.record(store.history, entry, store.author, lambda data: sshsig.sign(key, data, NAMESPACE), after)


def write_mark(store: StoreDirectory) -> Mark:
    """Have the store's mark say how far the site has come now.

    Raises:
        StorageError: the disk is full or failed.
    """
    mark, path = own_mark(store), store.layout.mark_file
    data = mark.to_bytes(site_key(store))
    if not path.is_file() or path.read_bytes() != data:
        write_file(path, data, mode=0o644, disk=store.disk)
    return mark


def own_mark(store: StoreDirectory) -> Mark:
    """How far state and ledger have come now, as of the time of the newest entry.

    Raises:
        DamagedError, NotTrustedError: one of them does not read.
    """
    state, place = TrustState.load(store.state_file), sealed.tip(store.history)
    return Mark(
        store.name,
        state.root_version,
        state.sequence,
        state.release,
        place.number if place else 0,
        place.digest if place else None,
        last_time(store),
    )


def read_mark(store: StoreDirectory) -> Mark | None:
    """How far the store says that the site had come; None in a store of before there were marks.

    Raises:
        DamagedError, NotTrustedError: it is not what the site wrote, or missing.
    """
    path = store.layout.mark_file
    if not path.exists():
        if store.marked:
            raise DamagedError(f"{path} is missing: nobody can say whether the ledger was cut")
        return None
    with storage_errors(path):
        return Mark.parse(path.read_bytes(), public_key(store), str(path))


def public_key(store: StoreDirectory) -> PublicKey:
    """The public half of the site's key.

    Raises:
        DamagedError: it does not read.
    """
    path = store.keys / f"{SITE_KEY}.pub"
    try:
        return PublicKey.parse_openssh(path.read_text(errors="replace"), str(path))
    except OSError as fault:
        raise DamagedError(f"cannot read {path}: {fault.strerror}") from fault


def require_whole(store: StoreDirectory) -> None:
    """Refuse to act on a ledger that was cut, replaced or added to: its newest entry says what runs.

    Raises:
        SequenceError: it ends before where it had come to, or elsewhere.
        DamagedError, NotTrustedError: it does not read, or is not signed by this site.
    """
    fault = next(_Look(store, store.history).end_faults(), None)
    if fault:
        raise SequenceError(fault, hint=_WAY_OUT)


def ledger_faults(
    store: StoreDirectory,
    commit: str | None = None,
    history: History | None = None,
    anchor: Mark | None = None,
) -> Iterator[str]:
    """What is wrong with the ledger.

    Args:
        store: a site's.
        commit: look at the ledger that ends there instead.
        history: where to read it from; by default the store's own.
        anchor: another mark that it has to have come to.

    Raises:
        StorageError: the disk failed.
    """
    try:
        look = _Look(store, history or store.history, commit)
        beyond = look.end_faults(anchor) if anchor else ()
        yield from dict.fromkeys((*look.chain_faults(), *look.end_faults(), *beyond))
    except StorageError:
        raise
    except AirstoreError as fault:
        yield str(fault)


def lost_entries(store: StoreDirectory) -> tuple[int, int] | None:
    """First and last number of the entries that are lost; None where none is.

    Raises:
        DamagedError, NotTrustedError: the mark or the ledger does not read.
    """
    mark, place = read_mark(store), sealed.tip(store.history)
    have = place.number if place else 0
    return (have + 1, mark.entries) if mark and mark.entries > have else None


@frozen
class _Look:
    """A ledger that is looked at, and how far it has to have come.

    Attributes:
        commit: its newest entry; None for what the branch names.
    """

    store: StoreDirectory
    history: History
    commit: str | None = None

    @cached_property
    def _mark(self) -> Mark | None:
        return read_mark(self.store)

    @cached_property
    def _key(self) -> PublicKey:
        return public_key(self.store)

    def chain_faults(self) -> Iterator[str]:
        """Signatures and links, newest first; entries of before there were seals come last."""
        newer: Sealed | None = None
        for entry in sealed.walk(self.history, self.commit):
            yield from self._own_faults(entry, newer)
            if newer:
                yield from self._link_faults(newer, entry)
            newer = entry
        if newer and newer.number is not None and newer.previous:
            yield f"the ledger begins at {_name(newer)}: the ones before it are missing"

    def end_faults(self, anchor: Mark | None = None) -> Iterator[str]:
        """Whether the ledger has come as far as the mark, or an anchor, says, and is the same one there."""
        mark, newest = anchor or self._mark, next(sealed.walk(self.history, self.commit), None)
        if newest:
            yield from self._own_faults(newest, None)
        if mark is None or not mark.entries:
            return
        place = self._place(newest) if newest else None
        if place is None or place.number < mark.entries:
            yield _cut(place, mark)
        elif not any(self._is_marked(entry, mark) for entry in sealed.walk(self.history, self.commit)):
            yield (
                f"entry {mark.entries} of the ledger is not the one that this site wrote: history.git comes"
                " from another copy of this store that went its own way"
            )

    def _own_faults(self, entry: Sealed, newer: Sealed | None) -> Iterator[str]:
        if entry.number is None:
            if newer is None and self._has_begun(entry):
                yield f"{_name(entry)} is not signed: it was not written by this site"
            return
        try:
            sshsig.verify(entry.signature or "", entry.data, NAMESPACE, [self._key])
        except (DamagedError, NotTrustedError) as fault:
            yield f"{_name(entry)} is not as this site signed it: {fault}"
        for path in sealed.file_faults(self.history, entry):
            yield f"{_name(entry)}: {path} is not what it says"

    def _link_faults(self, newer: Sealed, entry: Sealed) -> Iterator[str]:
        if newer.number is None:
            if entry.number is not None:
                yield (
                    f"{_name(newer)} follows a signed entry, and is not signed: it was not written by this"
                    " site"
                )
            return
        if newer.previous != entry.digest:
            yield f"{_name(newer)} follows another entry than {_name(entry)}: entries were cut out or changed"
        before = entry.number if entry.number is not None else self._place(entry).number
        if newer.number != before + 1 and not (newer.gap and newer.number > before):
            yield f"{_name(newer)} follows entry {before}: entries were cut out"

    def _has_begun(self, entry: Sealed) -> bool:
        """Whether the site had begun to sign when an unsigned entry came to be the newest one."""
        return bool(self._mark and entry.digest != self._mark.entry)

    def _is_marked(self, entry: Sealed, mark: Mark) -> bool:
        return entry.digest == mark.entry and self._place(entry).number == mark.entries

    def _place(self, entry: Sealed) -> LedgerPlace:
        found = sealed.tip(self.history, entry.commit)
        assert found is not None  # noqa: S101 - the entry is there
        return found


def last_time(store: StoreDirectory) -> int:
    """When the ledger's newest entry was written, in seconds since the epoch; 0 where it has none."""
    newest = next(ledger.entries(store.history), None)
    return newest.when if newest else 0


def _cut(place: LedgerPlace | None, mark: Mark) -> str:
    when = datetime.fromtimestamp(mark.when, UTC).strftime("%Y-%m-%d %H:%M:%S")
    first = (place.number if place else 0) + 1
    lost = f"entry {first}" if first == mark.entries else f"entries {first} to {mark.entries}"
    left = f"its newest one is entry {first - 1}" if place else "it has none"
    return (
        f"the ledger lacks {lost}, the last of them noted {when} UTC; {left}: it was cut or deleted, or"
        " history.git comes from a backup of before; what runs is not known from it"
    )


def _name(entry: Sealed) -> str:
    number = f" {entry.number}" if entry.number is not None else ""
    return f"ledger entry{number} ({entry.commit[:12]})"
