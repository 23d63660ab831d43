"""What a run is to do: the first line of its journal, and the manifests that lie beside it.

::

    RUN/journal.jsonl         its first line: {"plan": {mode, version, previous, items, skipBackup, ...}}
    RUN/new|old/NS_NAME.yaml  manifests, Secrets redacted

Everything that a killed run needs to be resumed is written before that line is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airstore.core.durable import write_file
from airstore.core.errors import DamagedError
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import Mode
from airstore.history.ledger import Running


@dataclass(frozen=True)
class Intent:
    """What a run is to do.

    Attributes:
        version: of the product, that ``new`` is; empty for an uninstall.
        previous: that ``old`` is; empty before the first one.
        items: key, action and data to restore (a place in the store) of each Helm release, in order.
        skipped: keys whose data the operator gave up: neither backed up nor restored.
        abandoned: keys that a rollback stops and does not install again.
    """

    mode: Mode
    version: str
    previous: str
    items: tuple[tuple[str, str, str], ...]
    new: tuple[Running, ...] = field(repr=False)
    old: tuple[Running, ...] = field(repr=False)
    skipped: frozenset[str] = frozenset()
    abandoned: frozenset[str] = frozenset()

    @property
    def outcome(self) -> tuple[str, tuple[Running, ...]]:
        """Version and Helm releases that run when it succeeds."""
        if self.mode is Mode.UNINSTALL:
            return self.previous, ()
        return (self.previous, self.old) if self.mode is Mode.ROLLBACK else (self.version, self.new)

    def keys(self, *actions: str) -> frozenset[str]:
        """Keys of the Helm releases that one of these is done to."""
        return frozenset(key for key, action, _ in self.items if action in actions)

    def begin(self, directory: Path) -> Journal:
        """Write everything a run needs to be resumed, and then the journal's first line.

        Raises:
            StorageError: the disk is full or failed.
        """
        for side, all_running in (("new", self.new), ("old", self.old)):
            for running in all_running:
                write_file(directory / side / _file(running.key), running.rendered.encode(), mode=0o600)
        return Journal.begin(directory, self._to_json())

    @classmethod
    def of(cls, journal: Journal) -> Intent:
        """What a run is to do.

        Raises:
            DamagedError: its first line, or a file that belongs to it, does not read.
        """
        try:
            document = journal.plan
            return cls(
                Mode(document["mode"]),
                document["version"],
                document["previous"],
                tuple((str(key), str(action), str(backup)) for key, action, backup in document["items"]),
                _read_side(journal.directory / "new", document["new"]),
                _read_side(journal.directory / "old", document["old"]),
                frozenset(map(str, document.get("skipBackup", ()))),
                frozenset(map(str, document.get("skipReinstate", ()))),
            )
        except (KeyError, ValueError, TypeError, OSError) as fault:
            raise DamagedError(f"the plan of run {journal.name} does not read: {fault}") from fault

    def _to_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "version": self.version,
            "previous": self.previous,
            "items": [list(item) for item in self.items],
            "skipBackup": sorted(self.skipped),
            "skipReinstate": sorted(self.abandoned),
            "new": [running.to_json() for running in self.new],
            "old": [running.to_json() for running in self.old],
        }


def _read_side(directory: Path, documents: Iterable[Mapping[str, str]]) -> tuple[Running, ...]:
    found = []
    for document in documents:
        path = directory / _file(f"{document['namespace']}/{document['name']}")
        found.append(Running.from_json(document, path.read_text(encoding="utf-8")))
    return tuple(found)


def _file(key: str) -> str:
    return key.replace("/", "_") + ".yaml"
