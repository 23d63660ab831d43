"""A mutation run of fixed size over the packages that decide what is believed and what is kept.

Of all mutants that cosmic-ray finds in a package a sample is drawn, the same for the same seed. Each has to
make a test of the package fail, or else one of those that use it from above. Survivors are written down with
the change, to be looked at: some change nothing (`x >= 0` of a length), the others are missing tests.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import subprocess
import sys
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, WorkerOutcome, WorkResult

# Package: its own tests, and those from above that are asked about what they let live.
PACKAGES = {
    "trust": (
        "tests/trust",
        "tests/ops/stores/test_trust.py",
        "tests/ops/publish/test_rotation.py",
        "tests/ops/publish/test_revocation.py",
        "tests/ops/upstream/test_upstream_rules.py",
    ),
    "history": (
        "tests/history",
        "tests/ops/media/test_import_forged.py",
        "tests/ops/upkeep/test_repair.py",
        "tests/ops/publish/test_create.py",
    ),
    "media": (
        "tests/media",
        "tests/ops/media/test_import_forged.py",
        "tests/ops/media/test_import_misleading.py",
        "tests/ops/media/test_media_line.py",
    ),
    "store": (
        "tests/store",
        "tests/ops/upkeep/test_gc_faults.py",
        "tests/ops/upkeep/test_repair.py",
        "tests/ops/stores/test_layers.py",
    ),
}
_CONFIGURATION = """
[cosmic-ray]
module-path = "airstore/{package}"
timeout = 600.0
excluded-modules = []
test-command = "bash {command}"

[cosmic-ray.distributor]
name = "local"
"""
# Most mutants are noticed by a test that names their module, else their part of the package, in seconds, on
# a road that was made without any change; the other tests are asked only about those that these let live.
_TESTS = """
set -e
export PYTHONPATH="$PWD" PYTHONDONTWRITEBYTECODE=1
ask() {{
    {python} -m pytest -x -q -p no:cacheprovider -m "not root and not cluster" --basetemp={scratch} "$@"
}}
for module in $(git diff --name-only -- airstore | sed 's/\\.py$//; s,/,[.],g'); do
    for name in "$module" "${{module%[*}}"; do
        mapfile -t near < <(grep -rlE --include='test_*.py' "$name\\\\b" {own})
        [ -z "${{near[*]}}" ] || break
    done
    [ -z "${{near[*]}}" ] || AIRSTORE_ROAD={road} ask "${{near[@]}}"
done
for tests in {own} {above}; do
    ask $tests
done
"""


def main() -> None:
    """Run and print the table; see `parse`."""
    arguments = parse()
    survivors = arguments.work / "survivors.txt"
    survivors.write_text("")
    print(f"{'package':8} {'mutants':>8} {'of':>7} {'noticed':>8} {'score':>6}")
    for package in arguments.packages or PACKAGES:
        total, results = judge(arguments.work, package, arguments.count, arguments.seed)
        alive = [result for result in results if not result.is_killed]
        with survivors.open("a") as file:
            file.writelines(f"{result.diff}\n\n" for result in alive)
        noticed = len(results) - len(alive)
        score = f"{noticed / max(1, len(results)):6.0%}"
        print(f"{package:8} {len(results):8} {total:7} {noticed:8} {score}", flush=True)
    print(f"survivors: {survivors}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="which small changes of the code no test notices")
    parser.add_argument("work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("packages", nargs="*", help=f"of {', '.join(PACKAGES)}; default: all")
    parser.add_argument("--count", type=int, default=40, help="mutants of each package")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_intermixed_args()
    if unknown := {*arguments.packages} - {*PACKAGES}:
        parser.error(f"no package {', '.join(sorted(unknown))}")
    return arguments


def judge(work: Path, package: str, count: int, seed: int) -> tuple[int, list[WorkResult]]:
    """How many mutants there are, and what became of those that were drawn."""
    session = work / f"{package}.sqlite"
    session.unlink(missing_ok=True)
    prepare(work, package)
    cosmic_ray(work, "init", f"../{package}.toml", session)
    with use_db(session, mode=WorkDB.Mode.open) as database:
        total = leave_some(database, count, seed)
    cosmic_ray(work, "exec", f"../{package}.toml", session)
    with use_db(session, mode=WorkDB.Mode.open) as database:
        results = [result for _, result in database.results]
    return total, [result for result in results if result.worker_outcome is not WorkerOutcome.SKIPPED]


def prepare(work: Path, package: str) -> None:
    """Write what cosmic-ray is to do, and the tests that it asks."""
    command, (own, *above) = work / f"{package}.sh", PACKAGES[package]
    values = {
        "own": own,
        "above": shlex.quote(" ".join(above)),
        "python": shlex.quote(os.environ["AIRSTORE_PYTHON"]),
    }
    command.write_text(_TESTS.format(**values, scratch=work / "scratch", road=work / "road"))
    (work / "road").mkdir(exist_ok=True)
    (work / f"{package}.toml").write_text(_CONFIGURATION.format(package=package, command=command))
    # Else every mutant of code that these tests do not pass would be noticed.
    done = subprocess.run(["bash", command], cwd=work / "tree", capture_output=True, text=True, check=False)
    if done.returncode:
        said = f"{done.stdout[-3000:]}{done.stderr[-1000:]}"
        sys.exit(f"without any change the tests of {package} fail:\n{said}")


def leave_some(database: WorkDB, count: int, seed: int) -> int:
    """Skip all mutants but a sample; how many there are that may change something."""
    items = [item for item in database.work_items if not any(map(of_types, item.mutations))]
    items.sort(key=lambda item: [where(each) for each in item.mutations])
    dice = random.Random(seed)  # noqa: S311 - not a secret
    kept = {item.job_id for item in dice.sample(items, min(count, len(items)))}
    others = [item.job_id for item in database.work_items if item.job_id not in kept]
    database.set_multiple_results(others, WorkResult(WorkerOutcome.SKIPPED))
    return len(items)


def of_types(mutation: MutationSpec) -> bool:
    """Of ``A | B``, which nearly always is a type: annotations are never run."""
    return "BitOr" in mutation.operator_name


def where(mutation: MutationSpec) -> tuple[object, ...]:
    """What tells mutants apart from run to run; their ids are made by chance."""
    return (str(mutation.module_path), mutation.start_pos, mutation.operator_name, mutation.occurrence)


def cosmic_ray(work: Path, *words: str | Path) -> None:
    """Run it within the copy of the tree."""
    program = Path(sys.executable).with_name("cosmic-ray")
    subprocess.run([program, *words], cwd=work / "tree", check=True)


if __name__ == "__main__":
    main()
