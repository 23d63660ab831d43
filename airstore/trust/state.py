"""A site's trust state: what it has come to trust, and therefore never goes back behind.

Forgetting it would let old media in again, so a missing or damaged file is an error, never a fresh start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airstore.core.durable import LOCAL_DISK, Disk, write_file
from airstore.core.errors import DamagedError, NotTrustedError, SequenceError, StorageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.core.model.release import API_VERSION
from airstore.core.parsing import schema, strictjson
from airstore.core.parsing.checked import with_check

_HINT = (
    "find out who or what did this; `airstore repair` restores the state from the newest release that is"
    " held, or enrol the site again into a new store"
)


@frozen
class TrustState:
    """What the site trusts now (schemas/trust-state.schema.json).

    Attributes:
        root_version: version of the trust root in force.
        sequence: sequence of the newest trusted release; 0 before the first import.
        release: digest of its ``release.json``; None before the first import.
        commit: its commit in the history repo; None before the first import.

    Raises:
        DamagedError: a sequence without a release, or the other way round.
    """

    root_version: int
    sequence: int = 0
    release: Digest | None = None
    commit: str | None = None

    def __post_init__(self) -> None:
        if len({self.sequence == 0, self.release is None, self.commit is None}) != 1:
            raise DamagedError(
                "trust state: sequence, release and commit must be there together or not at all"
            )

    @classmethod
    def load(cls, path: Path) -> TrustState:
        """Read the state of an initialised store.

        Raises:
            NotTrustedError: the file is gone; old media could not be told from new.
            DamagedError: its bytes are not what was saved.
            StorageError: it cannot be read.
        """
        try:
            with path.open("rb") as file:
                data = file.read(LIMITS.key_file + 1)
        except FileNotFoundError as fault:
            raise NotTrustedError(
                f"the trust state {path} was deleted, so old media cannot be told from new",
                hint=_HINT,
            ) from fault
        except OSError as fault:
            raise StorageError(f"cannot read the trust state {path}: {fault.strerror}") from fault
        return _parse(data, f"trust state {path}")

    def save(self, path: Path, *, disk: Disk = LOCAL_DISK, recover: bool = False) -> None:
        """Write the state durably, in one step; it may only move forward.

        Args:
            path: of the file.
            disk: makes it durable.
            recover: releases may go back: a trust root disowns them (TUF 1.0.34, section 5.3.11).

        Raises:
            SequenceError: the file on disk is ahead of this state.
            DamagedError: the file on disk cannot be compared with.
            StorageError: the disk is full or failed; the old state is still there.
        """
        if path.exists():
            self._check_forward(TrustState.load(path), recover=recover)
        write_file(path, _to_bytes(self), mode=0o644, disk=disk)

    def _check_forward(self, saved: TrustState, *, recover: bool) -> None:
        back = self.sequence < saved.sequence and not recover
        if back or self.root_version < saved.root_version:
            raise SequenceError(
                f"the trust state never goes back: sequence {saved.sequence} to {self.sequence}, "
                f"root version {saved.root_version} to {self.root_version}"
            )
        if not recover and self.sequence == saved.sequence and self.release != saved.release:
            raise SequenceError(
                f"the trust state already holds another release with sequence {saved.sequence}"
            )


def _to_bytes(state: TrustState) -> bytes:
    fields: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "TrustState",
        "rootVersion": state.root_version,
        "sequence": state.sequence,
        "release": state.release,
        "commit": state.commit,
    }
    return strictjson.dumps(with_check(fields))


def _parse(data: bytes, what: str) -> TrustState:
    document = strictjson.load_object(data, what, LIMITS.key_file)
    schema.check_json(document, "trust-state", what)
    release = document["release"]
    try:
        state = TrustState(
            document["rootVersion"],
            document["sequence"],
            Digest(release) if release else None,
            document["commit"],
        )
    except DamagedError as fault:
        raise DamagedError(f"{what} is not what airstore saved: {fault}", hint=_HINT) from fault
    if _to_bytes(state) != data:
        raise DamagedError(f"{what} is not what airstore saved", hint=_HINT)
    return state
