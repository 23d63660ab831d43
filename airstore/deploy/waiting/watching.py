"""Watching what a step waits for: shown as it goes, and ended early where no time will cure it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from airstore.core.errors import DeployError, TransferError
from airstore.core.frozen import frozen
from airstore.core.kube.documents import Document
from airstore.core.kube.sights import Cause, Sight, Trouble
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.target import WORKLOADS, ReleaseTarget
from airstore.deploy.waiting.health import Clock

_PAUSE = 2.0  # seconds between looks
# Seconds that a trouble has to last until the wait for it ends; others may pass.
PATIENCE: Mapping[Cause, float] = {
    Cause.CRASH: 0.0,
    Cause.FAILED: 0.0,
    Cause.IMAGE: 30.0,
    Cause.REFUSED: 30.0,
    Cause.UNSCHEDULABLE: 60.0,
}
# The Job of a hook says by itself when it has failed for good, and its log goes with that.
_HOOK_GRACE = {cause: PATIENCE[cause] for cause in (Cause.IMAGE, Cause.REFUSED, Cause.UNSCHEDULABLE)}


@frozen
class WaitProgress:
    """How far a step has come.

    Attributes:
        elapsed: seconds since it began.
        remaining: seconds that it may still take.
        ready: pods that are.
        wanted: pods that shall be.
        reason: why the worst one is not; empty if nothing is known.
        said: the last line that it has logged.
    """

    step: str
    elapsed: float
    remaining: float
    ready: int
    wanted: int
    reason: str = ""
    said: str = ""

    def __str__(self) -> str:
        time = f"{self.elapsed:.0f} s, {self.remaining:.0f} s left"
        pods = f"; {self.ready} of {self.wanted} pods ready" if self.wanted else ""
        said = f"; it said: {self.said}" if self.said else ""
        return f"{self.step}: {time}{pods}{f'; {self.reason}' if self.reason else ''}{said}"

    @property
    def news(self) -> tuple[object, ...]:
        """What is worth another line when it changes: not the time, nor other numbers in a reason."""
        return self.step, self.ready, self.wanted, re.sub(r"[0-9]+", "", self.reason)


class Display(Protocol):
    """Something that shows progress."""

    def show(self, progress: WaitProgress) -> None:
        """Show it in place of what was shown before."""

    def clear(self) -> None:
        """Nothing is waited for any more."""


class Silent:
    """A `Display` that shows nothing."""

    def show(self, progress: WaitProgress) -> None:
        """See `Display`."""

    def clear(self) -> None:
        """See `Display`."""


class Looking(Protocol):
    """What is looked at."""

    def look(self, document: Document, namespace: str) -> Sight | None:
        """How the pods of a workload are; None where it is not there."""


@frozen
class Stage:
    """Where progress is shown, and what must not be."""

    looking: Looking
    clock: Clock
    display: Display
    redactor: Redactor = field(repr=False)


class Watch:
    """Looks at the workloads of a Helm release while something waits for them; to be called again and again.

    Args:
        stage: where it happens.
        step: what is waited for, for people.
        target: the Helm release.
        grace: causes that no time will cure, and the seconds that they have to last to end the wait.
        documents: workloads that are watched; those of the Helm release where none are given.
        changed: only of workloads that have changed since this object was made: until Helm has, they are the
            old ones.
    """

    def __init__(
        self,
        stage: Stage,
        step: str,
        target: ReleaseTarget,
        *,
        grace: Mapping[Cause, float] | None = None,
        documents: Sequence[Document] | None = None,
        changed: bool = False,
    ) -> None:
        self._stage, self._step, self._target, self._grace = stage, step, target, grace or {}
        self._began = self._last = stage.clock.now()
        self._since: dict[tuple[Cause, str], float] = {}
        self._documents = tuple(_watched(target.documents() if documents is None else documents))
        self._before = {sight.workload: sight.mark for sight in self._look()} if changed else {}
        self.reason = ""

    def __call__(self, reason: str = "") -> None:
        """Look, unless that was done a moment ago.

        Args:
            reason: what else is known of why the wait goes on.

        Raises:
            DeployError: it is of no use to wait any longer.
        """
        now = self._stage.clock.now()
        if now - self._last < _PAUSE:
            return
        sights = self._look()
        self._last = self._stage.clock.now()
        self._show(sights, reason)
        if why := self._hopeless(sights):
            spent = f"ended after {self._last - self._began:.0f} s"
            raise DeployError(f"{self._target.running.key}: {spent}, because no time will cure this: {why}")

    def why(self) -> str:
        """What is the matter now, when the wait has ended; else what was seen last."""
        changed = (each for each in self._look() if self._before.get(each.workload) != each.mark)
        worst = next((each for each in changed if each.troubles), None)
        return self._stage.redactor.text(_told(worst, worst.troubles[0])) if worst else self.reason

    def _look(self) -> list[Sight]:
        looking, namespace = self._stage.looking, self._target.namespace
        try:
            seen = [looking.look(each, namespace) for each in self._documents]
        except TransferError:  # an API server that restarts, or rights that are missing: later, or not at all
            return []
        return [each for each in seen if each]

    def _show(self, sights: list[Sight], reason: str) -> None:
        now, text = self._last, self._stage.redactor.text
        worst = next((each for each in sights if each.troubles), None)
        waiting = [each for each in sights if each.ready < each.wanted]
        said = next((each.said for each in (*([worst] if worst else ()), *waiting) if each.said), "")
        self.reason = text(worst.troubles[0].text if worst else reason)
        self._stage.display.show(
            WaitProgress(
                self._step,
                now - self._began,
                max(self._target.timeout - (now - self._began), 0.0),
                sum(min(each.ready, each.wanted) for each in sights),
                sum(each.wanted for each in sights),
                self.reason,
                text(said),
            )
        )

    def _hopeless(self, sights: list[Sight]) -> str | None:
        seen = {
            (trouble.cause, trouble.subject): (sight, trouble)
            for sight in sights
            if self._before.get(sight.workload) != sight.mark
            for trouble in sight.troubles
        }
        self._since = {key: self._since.get(key, self._last) for key in seen}
        for key, (sight, trouble) in seen.items():
            grace = self._grace.get(trouble.cause)
            if grace is not None and self._last - self._since[key] >= grace:
                return self._stage.redactor.text(_told(sight, trouble))
        return None


def watching_hook(stage: Stage, step: str, target: ReleaseTarget) -> Callable[[Sequence[Document]], Watch]:
    """From the Jobs that a hook is, none for a script, to what watches it.

    Args:
        stage: where it happens.
        step: what is waited for, for people.
        target: the Helm release whose hook it is.
    """
    grace = _HOOK_GRACE if target.helm.fail_fast else None
    return lambda jobs: Watch(stage, step, target, grace=grace, documents=jobs)


def _told(sight: Sight, trouble: Trouble) -> str:
    said = f"; it said: {sight.said}" if sight.said else ""
    return f"{sight.workload}: {trouble.text.removeprefix(f'{sight.workload}: ')}{said}"


def _watched(documents: Iterable[Document]) -> Iterator[Document]:
    for document in documents:
        if document.get("kind") in {*WORKLOADS, "Job"}:
            yield document


Waiting = Callable[[str], None]
"""What is called while something waits, with what is known of why; it raises where that is of no use."""
