"""How long releases took to apply at a site, by its ledger; receipts say it to whoever plans the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.deploy.model.run_names import run_began
from airstore.history import ledger
from airstore.history.repository import History

_MOST = 20  # the last ones
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@frozen
class PastApply:
    """One apply that has ended.

    Attributes:
        release: the version that was applied.
        previous: the version that ran before; None where none of ours did.
        ended: seconds since the epoch, by the site's clock.
        seconds: from its beginning to its end, time that it waited for an operator included.
        succeeded: whether the release ran at the end; else what was before is back.
    """

    release: str
    previous: str | None
    ended: int
    seconds: int
    succeeded: bool

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "release": self.release,
            "from": self.previous,
            "ended": moment(self.ended),
            "seconds": self.seconds,
            "result": "succeeded" if self.succeeded else "failed",
        }

    @classmethod
    def parse(cls, entry: Mapping[str, Any], what: str) -> PastApply:
        """From a JSON object that passed its schema.

        Raises:
            DamagedError: its time is none.
        """
        ended = seconds_of(entry["ended"], what)
        return cls(
            entry["release"], entry["from"], ended, entry["seconds"], succeeded=entry["result"] == "succeeded"
        )


def past_applies(history: History) -> tuple[PastApply, ...]:
    """The last ones of a site, newest first.

    Raises:
        DamagedError: the ledger cannot be read.
    """
    return tuple(islice(_applies(ledger.entries(history)), _MOST))


def took(entry: ledger.Entry) -> int | None:
    """Seconds that a run took; None of what was no run, or where the clock went back meanwhile."""
    began = run_began(str(entry.details.get("run", "")))
    return entry.when - began if began is not None and entry.when >= began else None


def moment(seconds: int) -> str:
    """Seconds since the epoch as receipts write them."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def seconds_of(text: str, what: str) -> int:
    """The other way.

    Raises:
        DamagedError: that is no time.
    """
    try:
        return int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError as fault:
        raise DamagedError(f"{what}: {text[:40]!r} is no time") from fault


def _applies(entries: Iterable[ledger.Entry]) -> Iterator[PastApply]:
    """Of entries, newest first; what ran before an apply is said by one of those that come after it here."""
    waiting: list[PastApply] = []
    for entry in entries:
        if entry.changed:
            before = entry.version if entry.running and ledger.is_release(entry.version) else None
            yield from (replace(each, previous=before) for each in waiting)
            waiting = []
        seconds = took(entry)
        if entry.action == "apply" and seconds is not None:
            ended = entry.result == "succeeded"
            waiting.append(PastApply(entry.version, None, entry.when, seconds, succeeded=ended))
    yield from waiting
