"""How lower layers report progress without knowing whether anyone watches."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]
_KNOWN = 0.01  # of the work that has to be done before anything is said of the rest
_WATCHED = 2.0  # seconds that have to have passed


class Progress(Protocol):
    """Something that shows work as it goes."""

    def task(self, label: str, total: int | None) -> AbstractContextManager[Advance]:
        """Show one piece of work of ``total`` bytes; call the result with every further count of bytes."""

    def work(self, label: str, total: int) -> AbstractContextManager[Advance]:
        """The same of work of several kinds: ``total`` is in units that take the same time of either."""


class Quiet:
    """A `Progress` that shows nothing."""

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Advance]:  # noqa: ARG002
        """See `Progress`."""
        yield lambda _count: None

    def work(self, label: str, total: int) -> AbstractContextManager[Advance]:
        """See `Progress`."""
        return self.task(label, total)


QUIET = Quiet()


def remaining(done: float, total: float | None, elapsed: float) -> float | None:
    """Seconds that are left at the pace so far; None where too little is known to say it.

    Args:
        done: of the work.
        total: all of it; None where that is not known.
        elapsed: seconds since it began.
    """
    if not total or elapsed < _WATCHED or done < _KNOWN * total:
        return None
    return max(total - done, 0) * elapsed / done
