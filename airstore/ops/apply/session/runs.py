"""Where runs against the cluster are kept, below ``STORE/deploy``.

::

    guard.lock                    held by every Helm and hook while it runs
    runs/RUN/journal.jsonl        what shall be done (`airstore.deploy.run.intent`), and was (`.journal`)
    runs/RUN/values/NAME.json     values a Helm release was applied with, and its rewriting, mode 0600
    runs/RUN/kept/NAME.json       what Helm really installed of it, Secrets in plain text, mode 0600
    runs/RUN/new|old/NS_NAME.yaml manifests, Secrets redacted
    runs/RUN/backup/NS_NAME/      what the backup hook wrote
    runs/RUN/logs/                what hooks said, secrets redacted
"""

from __future__ import annotations

import calendar
import re
import secrets
import time
from pathlib import Path

from airstore.core.durable import make_directory, storage_errors
from airstore.ops.stores.directory import StoreDirectory

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_TIME, _STAMP = "%Y%m%dT%H%M%SZ", 16  # of a run's name, and its length


class Runs:
    """The runs of one store."""

    def __init__(self, store: StoreDirectory) -> None:
        self._store = store
        self.directory = store.path / "deploy" / "runs"
        self.guard = store.path / "deploy" / "guard.lock"

    def name(self, now: int) -> str:
        """A name for a new run; names sort in the order of runs, even if the clock stands or goes back."""
        there = self.directory.iterdir() if self.directory.is_dir() else ()
        newest = max((path.name for path in there if _NAME.fullmatch(path.name)), default="")
        last = calendar.timegm(time.strptime(newest[:_STAMP], _TIME)) if newest else -1
        return f"{time.strftime(_TIME, time.gmtime(max(now, last + 1)))}-{secrets.token_hex(4)}"

    def make(self, run: str) -> Path:
        """The directory of a new run, closed to others.

        Raises:
            StorageError: the disk is full or failed.
        """
        directory = self.directory / run
        with storage_errors(directory):
            make_directory(directory)
            directory.chmod(0o700)
            directory.parent.parent.chmod(0o700)
        return directory
