"""What is shown while a delta is made: the search for bases has a bar of its own, before the writing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from airstore.core.progress import NOTHING, Advance, Afterwards
from airstore.media.delta.effort import Effort
from airstore.media.delta.writer import Task, prepare
from tests.media.delta.test_delta import text
from tests.media.delta.test_delta_blobs import Pair, layer, pair

__all__ = ["pair"]  # a fixture


class Shown:
    """Keeps what is shown, in order; one bar at a time.

    Attributes:
        labels: of the bars, in the order in which they began.
        done: what each has counted.
    """

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.done = Counter[str]()
        self._open = False

    @contextmanager
    def task(self, label: str, total: int | None, after: Afterwards = NOTHING) -> Iterator[Advance]:  # noqa: ARG002
        assert not self._open, label
        self.labels.append(label)
        self._open = True
        yield lambda count: self.done.update({label: count})
        self._open = False

    def work(self, label: str, total: int, after: Afterwards = NOTHING) -> AbstractContextManager[Advance]:
        return self.task(label, total, after)


def test_the_search_for_bases_is_shown_by_what_it_reads(pair: Pair) -> None:
    moved = {f"old/{n}.txt": text(n) for n in range(5)}
    new = {f"elsewhere/{n}x.txt": text(n) + b"more" for n in range(5)}
    old, wanted = pair.put(pair.publisher, layer(moved), layer(new))
    shown = Shown()
    prepare(pair.publisher, Task([wanted], [old], {})).write(pair.directory / "a.delta", Effort.FAST, shown)
    assert shown.labels == ["looking for bases", "writing media"]
    assert shown.done["looking for bases"] >= sum(map(len, [*moved.values(), *new.values()]))
