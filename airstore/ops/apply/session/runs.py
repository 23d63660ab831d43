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

import secrets
from pathlib import Path

from airstore.core.durable import make_directory, storage_errors
from airstore.deploy.model.run_names import run_began, run_name
from airstore.ops.stores.directory import StoreDirectory


class Runs:
    """The runs of one store."""

    def __init__(self, store: StoreDirectory) -> None:
        self._store = store
        self.directory = store.path / "deploy" / "runs"
        self.guard = store.path / "deploy" / "guard.lock"

    def name(self, now: int) -> str:
        """A name for a new run; names sort in the order of runs, even if the clock stands or goes back."""
        there = self.directory.iterdir() if self.directory.is_dir() else ()
        last = max((began for path in there if (began := run_began(path.name)) is not None), default=-1)
        return run_name(max(now, last + 1), secrets.token_hex(4))

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
