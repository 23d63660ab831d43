"""A disk that is full, as Linux plays one."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.core.errors import DamagedError, StorageError
from airstore.store.ingest import spool
from airstore.store.ingest.spool import Spool


@pytest.fixture(autouse=True)
def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "TemporaryFile", lambda **_named: Path("/dev/full").open("w+b"))  # noqa: SIM115


def test_bytes_that_are_wanted_and_do_not_fit_are_an_error(tmp_path: Path) -> None:
    with Spool(tmp_path) as held:
        held.write(b"few enough to wait in memory")
        with pytest.raises(StorageError, match="No space left"):
            list(held.read())


def test_bytes_that_nobody_wants_any_more_hide_no_other_fault(tmp_path: Path) -> None:
    with pytest.raises(DamagedError):
        _fail(tmp_path)


def _fail(directory: Path) -> None:
    with Spool(directory) as held:
        held.write(b"few enough to wait in memory")
        raise DamagedError("what is really wrong")
