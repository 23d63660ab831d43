"""Measure the exact gzip codec over encoders and contents, and print the table of docs/codec.md.

    .venv/bin/python scripts/codec_table.py --work DIR [--small] CONTENT...

CONTENT are files or directories; a directory is taken as a tar of its files. Speeds are plain megabytes a
second of one core: the encoder's over its user time, the codec's over its thread's.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import resource
import statistics
import tarfile
import time
from pathlib import Path
from typing import NamedTuple

from codec_encoders import Encoder, encoders

from airstore.codec import KeptWholeError, rebuild, record

CAP = 8 << 20  # bytes of each content


class Figures(NamedTuple):
    """One blob: what its side data cost, and three speeds."""

    model: str
    share: float
    encode: float
    record: float
    rebuild: float


def content(path: Path) -> bytes:
    """A file's bytes, or a tar of a directory's files."""
    if path.is_file():
        return path.read_bytes()[:CAP]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink() and out.tell() < CAP:
                member = tarfile.TarInfo(str(file.relative_to(path)))
                member.size = file.stat().st_size
                with file.open("rb") as body:
                    archive.addfile(member, body)
    return out.getvalue()[:CAP]


def measure(encoder: Encoder, plain: bytes) -> Figures:
    """Compress, record, rebuild, compare.

    Raises:
        AssertionError: what comes back is another blob.
    """
    size = len(plain) / 1e6
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    start = time.thread_time()
    blob = encoder.compress(plain)
    encode = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before or time.thread_time() - start
    opened, side = io.BytesIO(), io.BytesIO()
    start = time.thread_time()
    try:
        report = record(io.BytesIO(blob), opened, side)
    except KeptWholeError as fault:
        return Figures(f"raw: {fault}", 1.0, size / encode, 0, 0)
    recorded = time.thread_time() - start
    back = io.BytesIO()
    start = time.thread_time()
    rebuild(io.BytesIO(opened.getvalue()), io.BytesIO(side.getvalue()), back)
    rebuilt = time.thread_time() - start
    if hashlib.sha256(back.getvalue()).digest() != hashlib.sha256(blob).digest():
        raise AssertionError(f"{encoder}: another blob came back")
    return Figures(
        report.encoder, report.side_size / len(blob), size / encode, size / recorded, size / rebuilt
    )


def row(encoder: Encoder, all_figures: list[Figures]) -> str:
    """A line of the table: medians over the contents."""

    def median(name: str) -> float:
        return statistics.median(getattr(figures, name) for figures in all_figures)

    models = sorted({figures.model for figures in all_figures})
    level = "default" if encoder.level < 0 else str(encoder.level)
    speeds = " | ".join(f"{median(name):.0f}" for name in ("encode", "record", "rebuild"))
    worst = max(figures.share for figures in all_figures)
    return (
        f"| {encoder.name} | {level} | {'; '.join(models)} | {median('share'):.4%} | {worst:.4%} | {speeds} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--small", action="store_true", help="newest versions, less of each content")
    parser.add_argument("--only", default="", help="only encoders with this in their name")
    every = ",".join(map(str, (-1, *range(1, 10))))
    parser.add_argument("--levels", default=every, help="only these; -1 is an encoder's default")
    parser.add_argument("contents", type=Path, nargs="+")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    contents = [content(path)[: CAP >> (3 if options.small else 0)] for path in options.contents]
    levels = [int(level) for level in options.levels.split(",")]
    print("| encoder | level | model | side data, median | worst | encode MB/s | record | rebuild |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for encoder in encoders(options.work, newest_only=options.small):
        if options.only in encoder.name and encoder.level in levels:
            print(row(encoder, [measure(encoder, plain) for plain in contents]), flush=True)


if __name__ == "__main__":
    main()
