"""One blob of an encoder or a tool, opened and put back: sizes and seconds, and the file that keeps them."""

from __future__ import annotations

import hashlib
import io
import json
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from airstore.codec import KeptWholeError, rebuild, record
from airstore.codec.opening import takes_every_core
from scripts.codec.contents import Content
from scripts.codec.encoders import Encoder
from scripts.codec.tools import Write

_OF_ZLIB = ("zlib, ", "GNU gzip", "pigz", "Java", "Node ")


class Figures(NamedTuple):
    """One blob.

    Attributes:
        gzip: its bytes; `plain`: of what it holds; `side`: of the side data.
        encode: CPU seconds of the encoder; None where a tool does more than that.
    """

    content: str
    model: str
    gzip: int
    plain: int
    side: int
    encode: float | None
    record: float
    rebuild: float

    @property
    def share(self) -> float:
        return self.side / self.gzip


class Row(NamedTuple):
    """What wrote: a line of the table."""

    name: str
    level: int


class Notes:
    """What was measured, a line of JSON each in a file: a run that was ended goes on behind the last of them.

    A file is of one build of the codec and of one set of contents.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[Row, list[Figures]] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            name, level, figures = json.loads(line)
            self.rows.setdefault(Row(name, level), []).append(Figures(*figures))

    def has(self, row: Row, content: str) -> bool:
        return any(each.content == content for each in self.rows.get(row, ()))

    def add(self, row: Row, figures: Figures) -> None:
        self.rows.setdefault(row, []).append(figures)
        with self._path.open("a") as file:
            file.write(json.dumps([row.name, row.level, figures]) + "\n")


def opened(blob: bytes, content: str, encode: float | None) -> Figures:
    """Record, rebuild, compare.

    Raises:
        AssertionError: what comes back is another blob.
    """
    plain, side, back = io.BytesIO(), io.BytesIO(), io.BytesIO()
    start, everywhere = time.thread_time(), time.process_time()
    try:
        report = record(io.BytesIO(blob), plain, side)
    except KeptWholeError:
        return Figures(content, "kept whole", len(blob), 0, len(blob), None, 0, 0)
    recorded, everywhere = time.thread_time() - start, time.process_time() - everywhere
    start = time.process_time()
    rebuild(io.BytesIO(plain.getvalue()), io.BytesIO(side.getvalue()), back)
    rebuilt = time.process_time() - start
    if takes_every_core(report.encoder):  # other threads record as well; the proof among them is a rebuild
        recorded = max(recorded, everywhere - rebuilt)
    if hashlib.sha256(back.getvalue()).digest() != hashlib.sha256(blob).digest():
        raise AssertionError(f"{content}: another blob came back")
    sizes = (len(blob), report.plain_size, report.side_size)
    return Figures(content, report.encoder, *sizes, encode, recorded, rebuilt)


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compressed(encoder: Encoder, plain: bytes) -> tuple[bytes, float]:
    """What an encoder makes, and CPU seconds: of programs theirs, of libraries this process's."""
    here, there = time.process_time(), children()
    blob = encoder.compress(plain)
    return blob, children() - there or time.process_time() - here


@cache
def yardstick(level: int, content: Content) -> float:
    """CPU seconds of GNU gzip."""
    level = 6 if level < 0 else level
    return compressed(Encoder("GNU gzip", level, ["gzip", "-n", f"-{level}"]), content.plain)[1]


def of_encoder(encoder: Encoder, content: Content, rounds: int) -> Figures:
    """The fastest of some rounds, in turns."""
    of_zlib = encoder.name.startswith(_OF_ZLIB)
    found = []
    for _ in range(rounds):
        blob, seconds = compressed(encoder, content.plain)
        found.append(opened(blob, content.name, yardstick(encoder.level, content) if of_zlib else seconds))
    first = found[0]
    encode = min((each.encode for each in found if each.encode is not None), default=None)
    quickest = min(each.record for each in found), min(each.rebuild for each in found)
    return first._replace(encode=encode, record=quickest[0], rebuild=quickest[1])


def of_tools(tools: Iterable[tuple[str, Write]], content: Content) -> Iterator[tuple[str, Figures]]:
    """What container tools make; one finds what another left beside it."""
    with tempfile.TemporaryDirectory() as work:
        place = Path(work)
        (place / "content.tar").write_bytes(content.archive)
        for name, write in tools:
            blob = max(write(place, place / "content.tar"), key=len)
            yield name, opened(blob, content.name, None)
