"""How the pods of workloads are, as a cluster shows them."""

from __future__ import annotations

from enum import StrEnum

from airstore.core.frozen import frozen


class Cause(StrEnum):
    """Of which kind a trouble of pods is."""

    CRASH = "crash"
    IMAGE = "image"
    UNSCHEDULABLE = "unschedulable"
    FAILED = "failed"
    REFUSED = "refused"
    OTHER = "other"


@frozen
class Trouble:
    """Something that keeps a pod or a workload from running.

    Attributes:
        cause: a crash is one that has been repeated, a failed Job one that is not tried again.
        subject: what it is about; the same for as long as the trouble lasts.
        text: for people.
        pod: whose container has a log about it; empty where none has.
        restarted: the log of the container before the present one is meant.
    """

    cause: Cause
    subject: str
    text: str
    pod: str = ""
    container: str = ""
    restarted: bool = False


@frozen
class Sight:
    """How the pods of one workload are.

    Attributes:
        workload: its kind and name.
        mark: changes whenever the object's specification does.
        ready: pods of its newest revision that are.
        wanted: how many there shall be.
        troubles: of those pods and of the workload itself.
        said: the last line that the worst of them has logged.
    """

    workload: str
    mark: str
    ready: int
    wanted: int
    troubles: tuple[Trouble, ...]
    said: str | None = None
