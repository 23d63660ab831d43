"""What others make of a pair of images: one command each, on the plain tars or the files in them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench_pairs import Pair

Command = list[str | Path]
_SOME = ("zstd -3 --patch-from", "zstd -12 --patch-from", "hdiffpatch per file")
_FILES = Path(__file__).with_name("bench_files.py")


def others(work: Path, pair: Pair, tools: str) -> dict[str, tuple[Command, Path]]:
    """Name to command and to what it makes; those that are not on this machine are left out."""
    if tools == "none":
        return {}
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    old, new = _joined(pair.old, work / "old.tar"), _joined(pair.new, work / "new.tar")
    wanted = dict(_commands(work, old, new, pair))
    return {name: each for name, each in wanted.items() if tools == "all" or name in _SOME}


def _joined(tars: list[Path], target: Path) -> Path:
    with target.open("wb") as file:
        for tar in tars:
            with tar.open("rb") as source:
                shutil.copyfileobj(source, file)
    return target


def _commands(work: Path, old: Path, new: Path, pair: Pair) -> Iterator[tuple[str, tuple[Command, Path]]]:
    if shutil.which("zstd"):
        long = ["--long=31", "-q", "-f", "-T1", f"--patch-from={old}", new, "-o"]
        for name, level in (("-3", ["-3"]), ("-12", ["-12"]), ("--ultra -19", ["--ultra", "-19"])):
            out = work / f"zstd{level[-1]}"
            yield f"zstd {name} --patch-from", (["zstd", *level, *long, out], out)
    if shutil.which("xdelta3"):
        out = work / "xdelta"
        window = ["-B", str(1 << 30), "-W", str(1 << 24), "-I", "0", "-S", "lzma"]
        yield "xdelta3 -9", (["xdelta3", "-e", "-9", *window, "-s", old, new, out], out)
    for tool in ("hdiffpatch", "bsdiff"):
        if tool == "hdiffpatch" or shutil.which("bsdiff"):
            out = work / f"{tool}.files"
            command = [sys.executable, _FILES, tool, out, *pair.old, "--", *pair.new]
            yield f"{tool} per file", (command, out)
    if shutil.which("casync"):
        yield "casync, new chunks", (_casync(work, old, new), work / "chunks.castr")
    if shutil.which("borg"):
        yield "borg, repository growth", (_borg(work, old, new), work / "grown")


def _casync(work: Path, old: Path, new: Path) -> Command:
    store, chunks = work / "old.castr", work / "chunks.castr"
    made = f"casync make -q --store={store} {work}/old.caibx {old}"
    again = f"casync make -q --store={chunks} {work}/new.caibx {new}"
    known = f"cd {store} && find . -type f | (cd {chunks} && xargs rm -f)"
    return ["bash", "-ec", f"{made} >/dev/null; {again} >/dev/null; {known}"]


def _borg(work: Path, old: Path, new: Path) -> Command:
    repo = work / "borg"
    steps = [
        f"export BORG_BASE_DIR={work}/home BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes",
        f"borg init -e none {repo}",
        f"borg import-tar --ignore-zeros -C zstd,12 {repo}::old {old}",
        f"before=$(du -sb {repo}/data | cut -f1)",
        f"borg import-tar --ignore-zeros -C zstd,12 {repo}::new {new}",
        f"after=$(du -sb {repo}/data | cut -f1)",
        f"head -c $((after - before)) /dev/zero > {work}/grown",
    ]
    return ["bash", "-ec", "; ".join(steps)]
