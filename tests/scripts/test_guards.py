"""The list of guards behind the threat table: complete, of this tree, and what becomes of one is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import guards
from scripts.guards import NOT_TRIED, NOTICED, SURVIVES, Bench, Guard, GuardCut

ROOT = Path(__file__).parents[2]
LISTED = guards.load()
_GUARD = "    if key %s 7:\n        return False\n"
TABLE = guards.table((ROOT / "docs" / "security.md").read_text())


def test_every_threat_of_the_table_has_guards_and_every_guard_a_threat() -> None:
    assert len(TABLE) > 40
    assert [each for each in TABLE if not any(each.startswith(guard.threat) for guard in LISTED)] == []
    rows = [[tests for threat, tests in TABLE.items() if threat.startswith(guard.threat)] for guard in LISTED]
    assert [guard.threat for guard, found in zip(LISTED, rows, strict=True) if len(found) != 1] == []


def test_the_tests_of_guards_are_those_of_the_table() -> None:
    """A file of a row by its name, or one test of it."""
    others = []
    for guard in LISTED:
        (row,) = (tests for threat, tests in TABLE.items() if threat.startswith(guard.threat))
        for test in guard.tests:
            file, _, name = test.partition("::")
            if Path(file).name not in row and (not name or name not in row):
                others.append(f"{guard.threat}: {test}")
    assert others == []


def test_every_guard_is_in_its_file_once() -> None:
    """Whoever rewrites one writes it anew in scripts/guards.d."""
    gone = [
        f"{cut.file}: {cut.take}"
        for guard in LISTED
        for cut in guard.cuts
        if cut.cut((ROOT / cut.file).read_text()) is None
    ]
    assert gone == []


def test_every_guard_names_tests_that_are_there() -> None:
    named = {test.partition("::")[::2] for guard in LISTED for test in guard.tests}
    assert [
        (file, test)
        for file, test in sorted(named)
        if not (ROOT / file).is_file() or f"def {test}" not in (ROOT / file).read_text()
    ] == []


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a guard, a test of it, and one that looks at nothing; none needs a plugin of pytest."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "door.py").write_text(
        "def opens(key):\n    if key != 7:\n        return False\n    return True\n"
    )
    (tmp_path / "test_door.py").write_text("import door\n\ndef test_it():\n    assert not door.opens(8)\n")
    (tmp_path / "test_none.py").write_text("import door\n\ndef test_it():\n    assert door.opens(7)\n")
    (tmp_path / "test_red.py").write_text("def test_it():\n    assert False\n")
    return tmp_path


@pytest.mark.parametrize(
    ("test", "take", "verdict"),
    [
        ("test_door.py", "if key != 7:", NOTICED),
        ("test_none.py", "if key != 7:", SURVIVES),
        ("test_red.py", "if key != 7:", NOT_TRIED),
        ("test_door.py", "if key != 9:", NOT_TRIED),
        ("test_door.py", "return", NOT_TRIED),
        ("test_nowhere.py", "if key != 7:", NOT_TRIED),
    ],
)
def test_what_becomes_of_a_guard(tree: Path, test: str, take: str, verdict: str) -> None:
    before = (tree / "door.py").read_text()
    guard = Guard("a thief", (test,), (GuardCut("door.py", take, "if False:"),))
    assert Bench(tree, tree / "scratch").judge(guard) == verdict
    assert (tree / "door.py").read_text() == before


def test_guards_that_would_each_do_go_together(tree: Path) -> None:
    text = f"def opens(key):\n{_GUARD % '>'}{_GUARD % '!='}    return True\n"
    (tree / "door.py").write_text(text)
    one, other = (GuardCut("door.py", f"if key {sign} 7:", "if False:") for sign in (">", "!="))
    both = ((one,), (other,), (one, other))
    bench = Bench(tree, tree / "scratch")
    verdicts = [bench.judge(Guard("a thief", ("test_door.py",), cuts)) for cuts in both]
    assert verdicts == [SURVIVES, SURVIVES, NOTICED]
    assert (tree / "door.py").read_text() == text


def test_what_a_guard_kept_small_ends_at_the_bound(tree: Path) -> None:
    """The test itself would take what it is given, and say nothing."""
    taking = "import door\n\ndef test_it():\n    bytearray(door.opens(8) << 30)\n"
    (tree / "test_door.py").write_text(taking)
    guard = Guard("a thief", ("test_door.py",), (GuardCut("door.py", "if key != 7:", "if False:"),))
    assert Bench(tree, tree / "scratch", memory=1 << 30).judge(guard) == NOTICED
