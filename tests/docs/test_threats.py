"""Each threat in docs/security.md has a test beside it, and that test exists."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs/security.md").read_text().partition("## Not defended")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| threat |"))
]
FILES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
FUNCTIONS = Counter(
    name
    for path in FILES
    for name in re.findall(r"^def (test_\w+)\(", (ROOT / path).read_text(), re.MULTILINE)
)


def exists(test: str) -> bool:
    """A file, by its path or by a name that no other one has; or a function, likewise."""
    if not test.endswith(".py"):
        return FUNCTIONS[test] == 1
    return test in FILES or sum(path.endswith(f"/{test}") for path in FILES) == 1


@pytest.mark.parametrize("row", ROWS, ids=map(str, range(len(ROWS))))
def test_a_threat_has_a_test_that_exists(row: list[str]) -> None:
    threat, _, tests = row
    named = re.findall(r"`([^`]+)`", tests)
    assert named, f"nothing is named beside: {threat}"
    assert [test for test in named if not exists(test)] == []
