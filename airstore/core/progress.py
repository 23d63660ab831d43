"""How lower layers report progress without knowing whether anyone watches."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from airstore.core.frozen import frozen

Advance = Callable[[int], None]
_KNOWN = 0.01  # of the work that has to be done before anything is said of the rest
_WATCHED = 2.0  # seconds that have to have passed


@frozen
class Afterwards:
    """What comes after a piece of work: the time that is left is that of both.

    Attributes:
        seconds: gives what it takes on the machine where that was measured; None where it is not known. Asked
            by those who show it, once.
        pace: seconds that a byte or unit of the work before it took there; what follows is slower or faster
            in proportion. None where that says nothing about the machine, as copying from a carrier does.
    """

    seconds: Callable[[], float | None]
    pace: float | None = None


NOTHING = Afterwards(lambda: 0.0)


class Progress(Protocol):
    """Something that shows work as it goes."""

    def task(
        self, label: str, total: int | None, after: Afterwards = NOTHING
    ) -> AbstractContextManager[Advance]:
        """Show one piece of work of ``total`` bytes; call the result with every further count of bytes."""

    def work(self, label: str, total: int, after: Afterwards = NOTHING) -> AbstractContextManager[Advance]:
        """The same of work of several kinds: ``total`` is in units that take the same time of either."""


class Quiet:
    """A `Progress` that shows nothing."""

    @contextmanager
    def task(self, label: str, total: int | None, after: Afterwards = NOTHING) -> Iterator[Advance]:  # noqa: ARG002
        """See `Progress`."""
        yield lambda _count: None

    def work(self, label: str, total: int, after: Afterwards = NOTHING) -> AbstractContextManager[Advance]:
        """See `Progress`."""
        return self.task(label, total, after)


QUIET = Quiet()


def remaining(
    done: float, total: float | None, elapsed: float, after: float | None = 0.0, pace: float | None = None
) -> float | None:
    """Seconds that are left at the pace so far; None where too little is known to say it.

    Args:
        done: of the work.
        total: all of it; None where that is not known.
        elapsed: seconds since it began.
        after: seconds of what comes then; None where that is not known.
        pace: see `Afterwards`.
    """
    if not total or after is None or elapsed < _WATCHED or done < _KNOWN * total:
        return None
    own = elapsed / done
    return max(total - done, 0) * own + after * (own / pace if pace else 1)
