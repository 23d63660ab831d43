"""The journal of one run: one JSON document a line, each synced before what it announces is done.

The first line holds the plan, the last one how the run ended; a run without such a line was killed, or needs
an operator. A last line that was cut off by a kill is dropped; anything else that does not read is damage, as
is a line that does not fit its ``check``. There is a copy: whichever has more whole lines counts, so that
none is lost with the end of a file, and a step that was begun is never forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airstore.core.durable import make_directory, storage_errors, sync_directory
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.parsing import strictjson
from airstore.core.parsing.checked import with_check, without_check
from airstore.deploy.model.twofold import TwofoldLines
from airstore.deploy.run.steps import End, Event, Status, Step, StepKind

_NAME = "journal.jsonl"
_COPIED = "copied"  # in the first line: there is a copy
# Lines as older versions wrote them, without a check.
_UNCHECKED = (frozenset({"plan"}), frozenset({"end"}), frozenset({"status", "kind", "item", "detail"}))


@dataclass
class Journal:
    """One run's journal, open for appending; only the holder of the store's lock writes it.

    Attributes:
        directory: of the run; its name is the run's.
        plan: what the run is about, as its first line says.
        end: how it ended; None while it has not.
        copied: there is a copy of it, which older versions did not make.
    """

    directory: Path
    plan: dict[str, Any] = field(repr=False)
    events: list[Event] = field(default_factory=list)
    end: End | None = None
    copied: bool = False
    _before: bytes | None = field(default=None, repr=False, compare=False)  # lines to mend both files with

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
        journal = cls(directory, plan, copied=True)
        _lines(directory).begin(_line({"plan": plan, _COPIED: True}))
        with storage_errors(directory):
            sync_directory(directory)
        return journal

    @classmethod
    def load(cls, directory: Path) -> Journal:
        """Read a run back. What one of both files has lost is mended with the next line that is written.

        Raises:
            DamagedError: it is not what `begin`, `record` and `close` write.
        """
        return cls.read(directory)[0]

    @classmethod
    def look(cls, directory: Path) -> Journal | None:
        """As `load`; None before its first line.

        Raises:
            DamagedError: it is not what `begin`, `record` and `close` write.
        """
        journal, whole = cls.read(directory)
        return journal if whole else None

    @classmethod
    def read(cls, directory: Path) -> tuple[Journal, bytes]:
        """The longer one of both files that read, and its lines.

        Raises:
            DamagedError: neither reads, or they say different things.
            StorageError: the disk failed.
        """
        found: dict[bytes, Journal] = {}
        faults: list[DamagedError] = []
        for path, lines in _lines(directory).read().items():
            try:
                found.setdefault(lines, cls._parse(path, lines))
            except DamagedError as fault:
                faults.append(fault)
        if not found and faults:
            raise faults[0]
        whole = max(found, key=len, default=b"")
        if not all(whole.startswith(lines) for lines in found):
            raise DamagedError(f"{directory / _NAME} and its copy say different things")
        return found.get(whole, cls(directory, {}, _before=b"")), whole

    @classmethod
    def _parse(cls, path: Path, whole: bytes) -> Journal:
        journal = cls(path.parent, {}, _before=whole)
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
            StorageError: it cannot be read, or mended.
        """
        self._mend()
        data = _read(self.directory)
        return f"{len(data)} {Digest.of(data)}"

    def _append(self, document: dict[str, Any]) -> None:
        self._mend()
        _lines(self.directory).append(_line(document))

    def _mend(self) -> None:
        """Of a run that was read back: who writes holds the store's lock, who reads need not."""
        if self._before is not None:
            _lines(self.directory).mend(self._before, copied=self.copied)
            self._before = None

    def _take(self, document: dict[str, Any], what: str) -> None:
        try:
            if self.end is not None:
                raise ValueError("it follows the end")
            if "plan" in document:
                if self.plan:
                    raise ValueError("it is a second plan")
                self.plan, self.copied = dict(document["plan"]), document.get(_COPIED) is True
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


def journal_faults(directory: Path) -> Iterator[str]:
    """What a run's journal, or its copy, has lost and the other one still says.

    Raises:
        DamagedError: neither of them reads.
        StorageError: the disk failed.
    """
    journal, whole = Journal.read(directory)
    files, there = _lines(directory), _lines(directory).read()
    before = whole[: whole.rfind(b"\n", 0, -1) + 1]
    # A kill leaves a copy that lacks the last line; within the first one, no file yet but the copy.
    killed = {files.path: {whole} if before else {whole, b"", None}, files.copy: {whole, before or whole}}
    wrong = [path for path, fine in killed.items() if journal.copied and there.get(path) not in fine]
    if files.read() == there:  # else somebody is writing it
        for path in wrong:
            lost = "is not what was written to it: lines are gone or changed"
            yield f"{path} {lost}" if path in there else f"{path} is gone"


def restore_journal(directory: Path) -> list[Path]:
    """Have a run's journal and its copy say what either of them still says; the files that were written.

    Raises:
        DamagedError: neither of them reads.
        StorageError: the disk is full or failed.
    """
    if not list(journal_faults(directory)):
        return []
    journal, whole = Journal.read(directory)
    return _lines(directory).mend(whole, copied=journal.copied)


def _lines(directory: Path) -> TwofoldLines:
    return TwofoldLines(directory / _NAME)


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(with_check(document), ensure_ascii=True, sort_keys=True).encode() + b"\n"


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
        if _lines(directory).read():
            journal = Journal.load(directory)
            if journal.plan:
                yield journal


def _event(document: dict[str, Any]) -> Event:
    step = Step(StepKind(document["kind"]), str(document["item"])) if document["kind"] else None
    return Event(Status(document["status"]), step, str(document["detail"]))
