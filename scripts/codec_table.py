"""Measure the exact gzip codec over encoders and contents, and print the table of docs/codec.md.

    .venv/bin/python scripts/codec_table.py --work DIR [--most MB] [--tools] NAME=PATH...

Each PATH is a file, or a directory that is taken as a tar of its files; of one larger than --most every n-th
file. Seconds are of CPU, all threads together; only recording leaves out the proof that runs beside it. An
encoder's own are those of its library; of what zlib or its like wrote those of GNU gzip at that level.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import resource
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import NamedTuple

from codec_contents import Content, contents_of
from codec_encoders import Encoder, encoders
from codec_goals import REBUILD, RECORD, Goal, goal, header_alone, is_asked
from codec_tools import TOOLS, Write, available

from airstore.codec import KeptWholeError, rebuild, record


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


def opened(blob: bytes, content: str, encode: float | None) -> Figures:
    """Record, rebuild, compare.

    Raises:
        AssertionError: what comes back is another blob.
    """
    plain, side, back = io.BytesIO(), io.BytesIO(), io.BytesIO()
    start = time.thread_time()
    try:
        report = record(io.BytesIO(blob), plain, side)
    except KeptWholeError:
        return Figures(content, "kept whole", len(blob), 0, len(blob), None, 0, 0)
    recorded = time.thread_time() - start
    start = time.process_time()
    rebuild(io.BytesIO(plain.getvalue()), io.BytesIO(side.getvalue()), back)
    rebuilt = time.process_time() - start
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
    of_zlib = "klauspost" not in encoder.name and not encoder.name.startswith("Go ")
    found = []
    for _ in range(rounds):
        blob, seconds = compressed(encoder, content.plain)
        found.append(opened(blob, content.name, yardstick(encoder.level, content) if of_zlib else seconds))
    first = found[0]
    encode = min((each.encode for each in found if each.encode is not None), default=None)
    quickest = min(each.record for each in found), min(each.rebuild for each in found)
    return first._replace(encode=encode, record=quickest[0], rebuild=quickest[1])


def of_tools(tools: Iterable[tuple[str, Write]], contents: list[Content]) -> Iterator[str]:
    """Rows of what container tools and libraries make; one finds what another left beside it."""
    with ExitStack() as stack:
        places = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in contents]
        for place, content in zip(places, contents, strict=True):
            (place / "content.tar").write_bytes(content.archive)
        for name, write in tools:
            figures = []
            for place, content in zip(places, contents, strict=True):
                blob = max(write(place, place / "content.tar"), key=len)
                figures.append(opened(blob, content.name, None))
            yield row(name, 0, figures)


def speeds(figures: Iterable[Figures]) -> tuple[float, float] | None:
    """How fast recording and rebuilding are beside the encoder, medians."""
    known = [each for each in figures if each.encode]
    if not known:
        return None
    ratios = [(each.encode / each.record, each.encode / each.rebuild) for each in known if each.encode]
    return statistics.median(r for r, _ in ratios), statistics.median(r for _, r in ratios)


def missed(aim: Goal, figures: list[Figures]) -> Iterator[str]:
    """In what a row is not what it should be."""
    share = statistics.median(each.share for each in figures)
    exact = all(header_alone(each.side, each.plain) for each in figures)
    if (aim.nothing and not exact) or (aim.share is not None and share > aim.share):
        yield "side data"
    found = speeds(figures)
    if found and aim.share is not None:
        yield from ["record"] * (found[0] < RECORD) + ["rebuild"] * (found[1] < REBUILD)


def row(name: str, level: int, figures: list[Figures]) -> str:
    """A line of the table."""
    aim, found = goal(name, level), speeds(figures)
    models = "; ".join(sorted({each.model for each in figures}))
    worst = max(figures, key=lambda each: each.share)
    share = statistics.median(each.share for each in figures)
    cost = f"{share:.4%} | {worst.share:.4%} ({worst.content})"
    ratios = f"{found[0]:.2f} | {found[1]:.2f}" if found else " | "
    faults = ", ".join(missed(aim, figures))
    verdict = f"**missed: {faults}**" if faults else "none set" if aim.share is None else "met"
    shown = {-1: "default", 0: ""}.get(level, str(level))
    return f"| {name} | {shown} | {models} | {cost} | {aim} | {ratios} | {verdict} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--newest", action="store_true", help="only the newest versions")
    parser.add_argument("--asked", action="store_true", help="only the rows that docs/codec.md keeps")
    parser.add_argument("--most", type=int, default=8, metavar="MB", help="of each content")
    parser.add_argument("--rounds", type=int, default=1, help="the fastest of so many counts")
    parser.add_argument("--only", default="", help="only encoders with this in their name")
    parser.add_argument("--tools", action="store_true", help="container tools and libraries as well")
    every = ",".join(map(str, (-1, *range(1, 10))))
    parser.add_argument("--levels", default=every, help="only these; -1 is an encoder's default")
    parser.add_argument("contents", nargs="+", metavar="NAME=PATH")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    contents = contents_of(options.contents, options.most << 20)
    levels = [int(level) for level in options.levels.split(",")]
    print("contents, MB: " + ", ".join(f"{each.name} {len(each.plain) / 1e6:.1f}" for each in contents))
    print("\n| encoder | level | model | side data, median | worst (of) | goal | record | rebuild | goals |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for encoder in encoders(options.work, newest_only=options.newest):
        if options.asked and not is_asked(encoder.name, encoder.level):
            continue
        if options.only in encoder.name and encoder.level in levels:
            figures = [of_encoder(encoder, content, options.rounds) for content in contents]
            print(row(encoder.name, encoder.level, figures), flush=True)
    if options.tools:
        asked = [each for each in TOOLS if options.only in each[0]]
        for line in of_tools(available(asked), contents):
            print(line, flush=True)


if __name__ == "__main__":
    main()
