"""What others make of a pair of images: one command each, on the plain tars or the files in them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.deltas.pairs import Pair

Command = list[str | Path]
_SLOW = {"zstd --ultra -19 --patch-from", "bsdiff per file"}
_LEAST = {"hdiffpatch per file"}
TOOLS = ("all", "quick", "slow", "least", "none")
_FILES = Path(__file__).with_name("files.py")


def others(work: Path, pair: Pair, tools: str) -> dict[str, tuple[Command, Path]]:
    """Name to command and to what it makes; those that are not on this machine are left out.

    Args:
        work: a directory for what they make.
        pair: is compared; one of equal tars is nothing to them.
        tools: one of `TOOLS`: "quick" are those that take minutes at most, "least" what makes the least of
            them.
    """
    if tools == "none" or all(map(_same, pair.old, pair.new)):
        return {}
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    old, new = _joined(pair.old, work / "old.tar"), _joined(pair.new, work / "new.tar")
    wanted = dict(_commands(work, old, new, pair))
    chosen = {"quick": wanted.keys() - _SLOW, "slow": _SLOW, "least": _LEAST}.get(tools, wanted.keys())
    return {name: each for name, each in wanted.items() if name in chosen}


def _same(left: Path, right: Path) -> bool:
    return left.samefile(right)


def _joined(tars: list[Path], target: Path) -> Path:
    with target.open("wb") as file:
        for tar in tars:
            with tar.open("rb") as source:
                shutil.copyfileobj(source, file)
    return target


def _commands(work: Path, old: Path, new: Path, pair: Pair) -> Iterator[tuple[str, tuple[Command, Path]]]:
    if shutil.which("zstd"):
        long: list[str | Path] = ["--long=31", "-q", "-f", "-T1", f"--patch-from={old}", new, "-o"]
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
        yield "borg, repository growth", (_borg(work, old, new), work / "borg.grown")
    if shutil.which("restic"):
        yield "restic, repository growth", (_restic(work, pair), work / "restic.grown")


def _casync(work: Path, old: Path, new: Path) -> Command:
    store, chunks = work / "old.castr", work / "chunks.castr"
    made = f"casync make --store={store} {work}/old.caibx {old}"
    again = f"casync make --store={chunks} {work}/new.caibx {new}"
    known = f"cd {store} && find . -type f | (cd {chunks} && xargs rm -f)"
    return ["bash", "-ec", f"{made} >/dev/null; {again} >/dev/null; {known}"]


def _borg(work: Path, old: Path, new: Path) -> Command:
    """By files, from the tars."""
    repo = work / "borg"
    steps = [
        f"export BORG_BASE_DIR={work}/home BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes",
        f"borg init -e none {repo}",
        f"borg import-tar --ignore-zeros -C zstd,12 {repo}::old {old}",
        _size(repo, "before"),
        f"borg import-tar --ignore-zeros -C zstd,12 {repo}::new {new}",
        *_growth(repo, work / "borg.grown"),
    ]
    return ["bash", "-ec", "; ".join(steps)]


def _restic(work: Path, pair: Pair) -> Command:
    """By files, from where the tars are unpacked: the same path both times, or every file would be new."""
    repo, tree = work / "restic", work / "tree"
    restic = f"restic -q -r {repo}"
    backup = f"(cd {tree} && {restic} --compression max backup .)"
    steps = [
        f"export RESTIC_PASSWORD=x XDG_CACHE_HOME={work}/home",
        f"{restic} init",
        *_unpacked(pair.old, tree),
        backup,
        _size(repo, "before"),
        *_unpacked(pair.new, tree),
        backup,
        *_growth(repo, work / "restic.grown"),
    ]
    return ["bash", "-ec", "; ".join(steps)]


def _unpacked(tars: list[Path], tree: Path) -> list[str]:
    return [f"rm -rf {tree}", f"mkdir {tree}", *(f"tar -xf {tar} -C {tree}" for tar in tars)]


def _size(directory: Path, variable: str) -> str:
    return f"{variable}=$(du -sb {directory} | cut -f1)"


def _growth(repo: Path, out: Path) -> list[str]:
    """A file as large as what the repository has grown by."""
    return [_size(repo, "after"), f"truncate -s $((after - before)) {out}"]
