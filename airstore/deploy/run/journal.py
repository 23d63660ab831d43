"""The journal of one run: one JSON document a line, each synced before what it announces is done.

The first line holds the plan, the last one how the run ended; a run without such a line was killed, or needs
an operator. A last line that was cut off by a kill is dropped; anything else that does not read is damage, as
is a line that does not fit its ``check``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airstore.core.durable import make_directory, storage_errors, sync_directory
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.parsing import strictjson
from airstore.core.parsing.checked import with_check, without_check
from airstore.deploy.run.steps import End, Event, Status, Step, StepKind

_NAME = "journal.jsonl"
# Lines as older versions wrote them, without a check.
_UNCHECKED = (frozenset({"plan"}), frozenset({"end"}), frozenset({"status", "kind", "item", "detail"}))


@dataclass
class Journal:
    """One run's journal, open for appending; only the holder of the store's lock writes it.

    Attributes:
        directory: of the run; its name is the run's.
        plan: what the run is about, as its first line says.
        end: how it ended; None while it has not.
    """

    directory: Path
    plan: dict[str, Any] = field(repr=False)
    events: list[Event] = field(default_factory=list)
    end: End | None = None

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.name

    @classmethod
    def begin(cls, directory: Path, plan: dict[str, Any]) -> Journal:
        """Start a run.

        Raises:
            StorageError: the disk is full or failed.
        """
        with storage_errors(directory):
            make_directory(directory)
        journal = cls(directory, plan)
        journal._append({"plan": plan})
        with storage_errors(directory):
            sync_directory(directory)
        return journal

    @classmethod
    def load(cls, directory: Path) -> Journal:
        """Read a run back, and drop a last line that was cut off.

        Raises:
            DamagedError: it is not what `begin`, `record` and `close` write.
        """
        path = directory / _NAME
        with storage_errors(path):
            data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            with storage_errors(path):
                os.truncate(path, len(whole))
        return cls._parse(directory, whole)

    @classmethod
    def look(cls, directory: Path) -> Journal | None:
        """As `load`, for who does not hold the store's lock: nothing is changed; None before its first line.

        Raises:
            DamagedError: it is not what `begin`, `record` and `close` write.
        """
        data = _read(directory)
        return cls._parse(directory, data[: data.rfind(b"\n") + 1]) if b"\n" in data else None

    @classmethod
    def _parse(cls, directory: Path, whole: bytes) -> Journal:
        path = directory / _NAME
        journal = cls(directory, {})
        for number, line in enumerate(whole.splitlines()):
            what = f"{path}:{number + 1}"
            journal._take(without_check(strictjson.load_object(line, what), what, _UNCHECKED), what)
        return journal

    def record(self, status: Status, step: Step | None = None, detail: str = "") -> None:
        """Append one event, durably.

        Raises:
            StorageError: the disk is full or failed; what the event announces must not be done.
        """
        line = {"status": status, "kind": step.kind if step else "", "item": step.item if step else ""}
        self._append({**line, "detail": detail})
        self.events.append(Event(status, step, detail))

    def close(self, end: End) -> None:
        """Append how the run ended; it is over then."""
        self._append({"end": end})
        self.end = end

    def seal(self) -> str:
        """How many bytes it has, and their digest: for the ledger, which is signed.

        Raises:
            StorageError: it cannot be read.
        """
        data = _read(self.directory)
        return f"{len(data)} {Digest.of(data)}"

    def _append(self, document: dict[str, Any]) -> None:
        path = self.directory / _NAME
        line = json.dumps(with_check(document), ensure_ascii=True, sort_keys=True).encode() + b"\n"
        with storage_errors(path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, line)
                os.fsync(handle)
            finally:
                os.close(handle)

    def _take(self, document: dict[str, Any], what: str) -> None:
        try:
            if self.end is not None:
                raise ValueError("it follows the end")
            if "plan" in document:
                if self.plan:
                    raise ValueError("it is a second plan")
                self.plan = dict(document["plan"])
            elif "end" in document:
                self.end = End(document["end"])
            else:
                self.events.append(_event(document))
        except (KeyError, ValueError, TypeError) as fault:
            raise DamagedError(f"{what} is not a line of a journal: {fault}") from fault


def fits(directory: Path, seal: str) -> bool:
    """Whether the journal of a run begins with what it was when it was sealed.

    Raises:
        StorageError: the disk failed.
    """
    count, _, digest = seal.partition(" ")
    data = _read(directory)[: int(count)] if count.isdigit() else b""
    return str(Digest.of(data)) == digest


def _read(directory: Path) -> bytes:
    path = directory / _NAME
    with storage_errors(path):
        return path.read_bytes() if path.is_file() else b""


def unfinished(runs: Path) -> Journal | None:
    """The run that has not ended, if there is one; a run that was killed before its first line is none.

    Raises:
        DamagedError: a journal does not read.
    """
    return next((journal for journal in load_all(runs) if journal.end is None), None)


def load_all(runs: Path) -> Iterator[Journal]:
    """Every run that began, newest first."""
    directories = sorted(runs.iterdir(), reverse=True) if runs.is_dir() else []
    for directory in directories:
        if (directory / _NAME).is_file():
            journal = Journal.load(directory)
            if journal.plan:
                yield journal


def _event(document: dict[str, Any]) -> Event:
    step = Step(StepKind(document["kind"]), str(document["item"])) if document["kind"] else None
    return Event(Status(document["status"]), step, str(document["detail"]))
