"""A disk that fills up where no module foresees it: a file without a name has none to be said."""

from __future__ import annotations

import errno
import os

import pytest

from airstore.cli.commands.stores import doctor
from tests.support.product.road_parts import airstore, refused


def test_a_full_disk_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_words: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(doctor, "examine", full)
    refused(airstore("doctor"), 41, "No space left on device", "TMPDIR")
