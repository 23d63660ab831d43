"""How lower layers report progress without knowing whether anyone watches."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Something that shows work as it goes."""

    def task(self, label: str, total: int | None) -> AbstractContextManager[Advance]:
        """Show one piece of work of ``total`` bytes; call the result with every further count of bytes."""


class Quiet:
    """A `Progress` that shows nothing."""

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Advance]:  # noqa: ARG002
        """See `Progress`."""
        yield lambda _count: None


QUIET = Quiet()
