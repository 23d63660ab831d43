"""What a run is to do: the first line of its journal, and the manifests that lie beside it.

::

    RUN/journal.jsonl         its first line: {"plan": {mode, version, previous, items, manifests, ...}}
    RUN/new|old/NS_NAME.yaml  manifests, Secrets redacted

Everything that a killed run needs to be resumed is written before that line is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any

from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import Mode
from airstore.history.ledger import Running

_MANIFESTS = "manifests"  # of the plan: files of the run to their digests


@frozen
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
        manifests = self._manifests()
        for name, rendered in manifests.items():
            write_file(directory / name, rendered, mode=0o600)
        digests = {name: Digest.of(rendered) for name, rendered in manifests.items()}
        return Journal.begin(directory, {**self._to_json(), _MANIFESTS: digests})

    def _manifests(self) -> dict[str, bytes]:
        sides = (("new", self.new), ("old", self.old))
        return {_file(side, each.key): each.rendered.encode() for side, found in sides for each in found}

    @classmethod
    def of(cls, journal: Journal) -> Intent:
        """What a run is to do.

        Raises:
            DamagedError: its first line, or a file that belongs to it, does not read.
        """
        try:
            document, read = journal.plan, partial(_read_side, journal)
            return cls(
                Mode(document["mode"]),
                document["version"],
                document["previous"],
                tuple((str(key), str(action), str(backup)) for key, action, backup in document["items"]),
                read("new", document["new"]),
                read("old", document["old"]),
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


def altered_manifests(journal: Journal) -> Iterator[str]:
    """The manifests of a run that are not what it began with; older runs do not say what they were.

    Raises:
        StorageError: the disk failed.
    """
    for name, digest in journal.plan.get(_MANIFESTS, {}).items():
        path = journal.directory / name
        with storage_errors(path):
            data = path.read_bytes() if path.is_file() else b""
        if Digest.of(data) != digest:
            yield f"{path} is not the manifest that the run began with"


def _read_side(journal: Journal, side: str, documents: Iterable[Mapping[str, str]]) -> tuple[Running, ...]:
    found, digests = [], journal.plan.get(_MANIFESTS, {})
    for document in documents:
        name = _file(side, f"{document['namespace']}/{document['name']}")
        data = (journal.directory / name).read_bytes()
        if name in digests and Digest.of(data) != digests[name]:
            raise ValueError(f"{name} is not the manifest that it began with")
        found.append(Running.from_json(document, data.decode()))
    return tuple(found)


def _file(side: str, key: str) -> str:
    return f"{side}/{key.replace('/', '_')}.yaml"
