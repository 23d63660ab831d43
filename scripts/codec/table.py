"""Measure the exact gzip codec over encoders and contents, and print the table of docs/codec.md.

    .venv/bin/python -m scripts.codec.table --work DIR [--most MB] [--tools] NAME=PATH...

Each PATH is a file, or a directory that is taken as a tar of its files; of one larger than --most every n-th
file. One content is measured after the other, and each figure is noted: a run that was ended goes on. Seconds
are of CPU, all threads together; only recording leaves out the proof beside it. An encoder's own are
those of its library; of what zlib or its like wrote those of GNU gzip at that level.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.codec.contents import Content, contents_of
from scripts.codec.encoders import LIBRARIES, encoders
from scripts.codec.goals import REBUILD, RECORD, Goal, goal, header_alone, is_asked
from scripts.codec.measure import Figures, Notes, Row, of_encoder, of_tools
from scripts.codec.tools import TOOLS, available


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


def measure(options: argparse.Namespace, content: Content, notes: Notes) -> None:
    """Note what the file has not of one content yet."""
    levels = [int(level) for level in options.levels.split(",")]
    for encoder in encoders(options.work, newest_only=options.newest):
        line = Row(encoder.name, encoder.level)
        asked = not options.asked or is_asked(*line)
        if not asked or options.only not in encoder.name or encoder.level not in levels:
            continue
        if not notes.has(line, content.name):
            notes.add(line, of_encoder(encoder, content, options.rounds))
    missing = [each for each in TOOLS if options.only in each[0] and not _is_known(each[0], content, notes)]
    for name, figures in of_tools(available(missing), content) if options.tools else ():
        notes.add(Row(name, 0), figures)


def _is_known(tool: str, content: Content, notes: Notes) -> bool:
    """Whether a tool was measured; libraries are among the encoders."""
    return tool.partition(",")[0] in {name for name, *_ in LIBRARIES} or notes.has(Row(tool, 0), content.name)


def table(notes: Notes) -> Iterator[str]:
    """Lines: what was measured of which contents."""
    sizes = {each.content: each.plain for rows in notes.rows.values() for each in rows if each.plain}
    yield "contents, MB: " + ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sizes.items())
    yield "\n| encoder | level | model | side data, median | worst (of) | goal | record | rebuild | goals |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for line, figures in notes.rows.items():
        absent = sizes.keys() - {each.content for each in figures}
        yield row(*line, figures) + (f" not measured: {', '.join(sorted(absent))} |" if absent else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--newest", action="store_true", help="only the newest versions")
    parser.add_argument("--asked", action="store_true", help="only the rows that docs/codec.md keeps")
    parser.add_argument("--most", type=int, metavar="MB", help="of each content; they are taken whole")
    parser.add_argument("--rounds", type=int, default=1, help="the fastest of so many counts")
    parser.add_argument("--only", default="", help="only encoders with this in their name")
    parser.add_argument("--tools", action="store_true", help="container tools as well")
    parser.add_argument("--notes", type=Path, help="keep figures here, and go on behind those it has")
    parser.add_argument("--show", action="store_true", help="print what the notes have; measure nothing")
    every = ",".join(map(str, (-1, *range(1, 10))))
    parser.add_argument("--levels", default=every, help="only these; -1 is an encoder's default")
    parser.add_argument("contents", nargs="*", metavar="NAME=PATH")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    notes = Notes(options.notes or options.work / "notes.jsonl")
    for word in () if options.show else options.contents:
        (content,) = contents_of([word], options.most << 20 if options.most else sys.maxsize)
        measure(options, content, notes)
    print("\n".join(table(notes)))


if __name__ == "__main__":
    main()
