"""Take out the guards behind the threat table one by one: does a test of the row notice?

    scripts/guards [TEXT...]

What is taken out is in scripts/guards.d, by the threats of docs/security.md. A guard whose tests pass without
it *survives*; where they fail without any change, or what is to be taken out is not there, nothing was tried.
Exits 1 unless every guard is noticed.

A guard may be what keeps a test from filling memory or a disk, so each program that tests run has a bound.
The publisher, media and site that tests begin with are made once, by the tree as it is.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIST = Path(__file__).parent / "guards.d"
NOTICED, SURVIVES, NOT_TRIED = "noticed", "SURVIVES", "NOT TRIED"
_PASSED, _FAILED = 0, 1  # pytest's exit codes; others are about no test
_MEMORY = _FILE = 4 << 30  # bytes of one program, and of one file


@dataclass(frozen=True)
class GuardCut:
    """What is taken out of one file.

    Attributes:
        file: relative to the tree.
        take: text that is in it once.
        put: what is put in its place.
    """

    file: str
    take: str
    put: str

    def cut(self, text: str) -> str | None:
        """The file without the guard; None where it does not have it, or several times."""
        return text.replace(self.take, self.put) if text.count(self.take) == 1 else None


@dataclass(frozen=True)
class Guard:
    """One defence: of several lines that each would do, all are taken out together.

    Attributes:
        threat: how its row of the table begins.
        tests: that have to fail without it.
    """

    threat: str
    tests: tuple[str, ...]
    cuts: tuple[GuardCut, ...]

    @classmethod
    def parse(cls, entry: dict[str, Any]) -> Guard:
        """From a table of the list."""
        first = GuardCut(entry["in"], entry["take"], entry["put"])
        return cls(
            entry["threat"],
            tuple(entry["tests"].split()),
            (first, *(GuardCut(*c) for c in entry.get("also", ()))),
        )

    def __str__(self) -> str:
        cut = self.cuts[0]
        return f"{cut.file}: {' '.join(cut.take.split())[:70]}"


def load(directory: Path = LIST) -> list[Guard]:
    """The list."""
    tables = (tomllib.loads(path.read_text()) for path in sorted(directory.glob("*.toml")))
    return [Guard.parse(entry) for table in tables for entry in table["guard"]]


def table(text: str) -> dict[str, str]:
    """The table in docs/security.md: threat to tests, both as they are written."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[2] for cells in rows[2:] if len(cells) == 3}


@contextmanager
def without(tree: Path, guard: Guard) -> Iterator[bool]:
    """The tree without a guard while the block lasts; whether it has it."""
    before = {cut.file: (tree / cut.file).read_text() for cut in guard.cuts}
    after = dict(before)
    there = True
    for cut in guard.cuts:
        changed = cut.cut(after[cut.file])
        there &= changed is not None
        after[cut.file] = changed or ""
    try:
        if there:
            _write(tree, after)
        yield there
    finally:
        _write(tree, before)


@dataclass(frozen=True)
class Bench:
    """Where guards are tried.

    Attributes:
        tree: a copy that may be changed.
        scratch: a directory; what tests of several guards begin with stays in it.
        memory: bytes that each program of a test may have.
        sound: tests that were run without any change, to whether they passed.
    """

    tree: Path
    scratch: Path
    memory: int = _MEMORY
    sound: dict[tuple[str, ...], bool] = field(default_factory=dict)

    def judge(self, guard: Guard) -> str:
        """What becomes of a guard's tests without it."""
        if guard.tests not in self.sound:
            self.sound[guard.tests] = self._run(guard.tests) == _PASSED
        if not self.sound[guard.tests]:
            return NOT_TRIED
        with without(self.tree, guard) as there:
            code = self._run(guard.tests) if there else None
        return {_PASSED: SURVIVES, _FAILED: NOTICED}.get(code, NOT_TRIED) if code is not None else NOT_TRIED

    def _run(self, tests: Sequence[str]) -> int:
        """Run tests until the first failure; pytest's exit code."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.tree),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AIRSTORE_ROAD": str(self.scratch),
        }
        words = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not cluster"]
        command = [sys.executable, *words, f"--basetemp={self.scratch}/tests", *tests]
        done = subprocess.run(
            command, cwd=self.tree, env=environment, capture_output=True, check=False, preexec_fn=self._bound
        )
        return done.returncode

    def _bound(self) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (self.memory, self.memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))


def _write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tree / name).write_text(text)


def main() -> None:
    """Run and print; see the module."""
    parser = argparse.ArgumentParser(prog="scripts/guards", description="which guards no test misses")
    parser.add_argument("tree", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="guards whose threat, test or file has it")
    options = parser.parse_args()
    verdicts = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="airstore-guards-") as scratch:
        bench = Bench(options.tree, Path(scratch))
        for guard in load():
            about = " ".join((guard.threat, *guard.tests, str(guard)))
            if options.texts and not any(text in about for text in options.texts):
                continue
            verdict = bench.judge(guard)
            verdicts[verdict] += 1
            print(f"{verdict:9} {guard}\n{'':9} {guard.threat}: {' '.join(guard.tests)}", flush=True)
    print(f"{verdicts.total()} guards, " + ", ".join(f"{count} {name}" for name, count in verdicts.items()))
    sys.exit(verdicts.total() != verdicts[NOTICED])


if __name__ == "__main__":
    main()
