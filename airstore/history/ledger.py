"""The ledger: the site's own branch of the history repo, one commit for everything that was done.

``entry.json`` says what was done with what result (schemas/ledger.schema.json); ``rendered/`` holds the
manifests as they were applied, Secrets redacted. ``entry.json.sig`` is the site's signature (`.sealed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any

from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.model.release import API_VERSION
from airstore.core.parsing import schema, strictjson
from airstore.history import sealed
from airstore.history.repository import History
from airstore.history.sealed import BRANCH, ENTRY, GAP, SIGNATURE

__all__ = [
    "ADOPTED",
    "BRANCH",
    "GAP",
    "KEPT",
    "SEAL",
    "Entry",
    "Running",
    "Sign",
    "entries",
    "is_release",
    "last",
    "record",
    "running",
]

Sign = Callable[[bytes], str]  # from ``entry.json`` to an armored SSH signature over it
ADOPTED = "before airstore"  # no version of a release: what ran before the first one, and was adopted
SEAL, KEPT = "journal", "kept"  # of details: what the run's journal is, and whose installations are kept
_APPLIED = frozenset({"apply", "rollback", "uninstall", "adopt"})


@frozen
class Running:
    """One Helm release as it was last applied.

    Attributes:
        archive: digest of the chart's ``.tgz``.
        rendered: the manifests, Secrets redacted.
        values: where the store keeps the values it was applied with, ``RUN/NAME``.
        unkeyed: the manifests as ledgers had them before digests of Secrets were keyed, to compare with
            those; None where nobody knows the secrets any more.
    """

    name: str
    namespace: str
    chart: str
    chart_version: str
    archive: str
    rendered: str = field(repr=False)
    values: str = ""
    unkeyed: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """``NAMESPACE/NAME``."""
        return f"{self.namespace}/{self.name}"

    def to_json(self) -> dict[str, str]:
        """As the ledger and journals write it; the manifests are elsewhere."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "chart": self.chart,
            "chartVersion": self.chart_version,
            "archive": self.archive,
            "values": self.values,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, str], rendered: str) -> Running:
        """What `to_json` wrote, with the manifests."""
        return cls(
            name=document["name"],
            namespace=document["namespace"],
            chart=document["chart"],
            chart_version=document["chartVersion"],
            archive=document["archive"],
            rendered=rendered,
            values=document.get("values", ""),
        )


@frozen
class Entry:
    """One line of the ledger.

    Attributes:
        action: ``push``, ``apply``, ``rollback``, ``uninstall`` or ``adopt``; ``gap`` says that
            entries before it are lost.
        result: ``succeeded`` or ``failed``.
        when: seconds since the epoch.
        details: what is particular to the action, strings and numbers only.
        running: what runs after it; meaningful for all actions but ``push`` and ``gap``.
    """

    action: str
    version: str
    result: str
    when: int
    details: Mapping[str, str | int] = field(default_factory=dict)
    running: tuple[Running, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the entry says what runs."""
        return self.action in _APPLIED and self.result == "succeeded"


def is_release(version: str) -> bool:
    """Whether a state's version names a release: nothing has none, and neither has what was adopted."""
    return version not in {"", ADOPTED}


def record(
    history: History,
    entry: Entry,
    author: tuple[str, str],
    sign: Sign | None = None,
    after: int | None = None,
) -> str:
    """Append an entry durably; returns its commit.

    Args:
        history: of the site.
        entry: what was done.
        author: name and email.
        sign: the site's; without, the entry is one as they were before entries were signed.
        after: how many entries there were before, where some are lost.

    Raises:
        DamagedError: the entry before does not read.
        StorageError: the disk is full or failed; the ledger is as it was.
    """
    files = {f"rendered/{helm.name}.yaml": helm.rendered.encode() for helm in entry.running}
    document = _to_json(entry)
    if sign:
        document |= sealed.links(history, files, after)
    files[ENTRY] = strictjson.dumps(document)
    if sign:
        files[SIGNATURE] = sign(files[ENTRY]).encode()
    message = f"{entry.action} {entry.version}: {entry.result}"
    return history.commit_entry(BRANCH, files, message, author, entry.when)


def entries(history: History) -> Iterator[Entry]:
    """Everything that was done, newest first.

    Raises:
        DamagedError: an entry is not of its schema.
    """
    for commit in history.entries(BRANCH):
        yield _from_json(history, commit)


def running(history: History) -> Entry | None:
    """The entry that says what runs; None where nothing does: at first, and after an uninstall."""
    entry = last(history)
    return entry if entry and entry.running else None


def last(history: History) -> Entry | None:
    """The newest entry that says what runs, be it nothing; None before the first ``apply``."""
    return next((entry for entry in entries(history) if entry.changed), None)


def _to_json(entry: Entry) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "LedgerEntry",
        "action": entry.action,
        "version": entry.version,
        "result": entry.result,
        "when": entry.when,
        "details": dict(entry.details),
        "running": [helm.to_json() for helm in entry.running],
    }


def _from_json(history: History, commit: str) -> Entry:
    what = f"ledger entry {commit[:12]}"
    document = strictjson.load_object(_read(history, commit, ENTRY, what), what)
    schema.check_json(document, "ledger", what)
    return Entry(
        action=document["action"],
        version=document["version"],
        result=document["result"],
        when=document["when"],
        details=document["details"],
        running=tuple(
            Running.from_json(helm, _read(history, commit, f"rendered/{helm['name']}.yaml", what).decode())
            for helm in document["running"]
        ),
    )


def _read(history: History, commit: str, path: str, what: str) -> bytes:
    try:
        return history.read(commit, path)
    except NotFoundError as fault:
        raise DamagedError(f"{what} has no {path}") from fault
