"""Shell scripts start Python modules by their names; they would notice only when somebody runs them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
_STARTED = re.compile(r"python3?\"? (?:-m (scripts[.\w]*)|\"?(?:\$ROOT/)?(scripts/[^\s\";]+\.py))")
STARTED = {
    (path.name, *names)
    for path in SCRIPTS.iterdir()
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
    for names in _STARTED.findall(path.read_text())
}


@pytest.mark.parametrize(("script", "module", "file"), sorted(STARTED))
def test_what_a_script_starts_is_there(script: str, module: str, file: str) -> None:
    there = importlib.util.find_spec(module) if module else (SCRIPTS.parent / file).is_file()
    assert there, script


def test_all_of_them_are_found() -> None:
    assert {module for script, module, _ in STARTED if script == "bench"} == {
        "scripts.deltas.suite",
        "scripts.benchmarks.beside",
        "scripts.benchmarks.road",
    }
