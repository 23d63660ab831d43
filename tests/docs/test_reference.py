"""The reference in docs/ is what the commands say of themselves, and manual pages are sound."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from airstore.cli.main import main
from scripts import reference
from tests.cli.test_help import commands, find

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_is_as_the_commands_are() -> None:
    assert reference.stale() == [], "run scripts/reference"


def test_every_command_has_an_entry() -> None:
    pages = reference.pages()
    found = {entry.words for page in pages.values() for entry in page}
    assert found >= {" ".join(("airstore", *words)) for words in commands() if not find(words).hidden}
    assert set(pages) == {"airstore", *(f"airstore-{name}" for name in main.list_commands(None))}  # type: ignore[arg-type]


def test_what_is_no_longer_so_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reference, "DOCS", tmp_path / "docs")
    assert reference.run(["--check"]) == 1
    assert reference.run([]) == 0
    assert reference.run(["--check"]) == 0
    old = tmp_path / "docs" / "man" / "airstore-gone.1"
    old.write_text("")
    (tmp_path / "docs" / "reference" / "airstore-log.md").unlink()
    assert [path.name for path in reference.stale()] == ["airstore-gone.1", "airstore-log.md"]
    assert reference.run([]) == 0
    assert not old.exists()


@pytest.mark.skipif(not shutil.which("groff"), reason="groff formats manual pages where a system has it")
@pytest.mark.parametrize("page", sorted((DOCS / "man").glob("*.1")), ids=lambda page: page.stem)
def test_manual_pages_are_sound(page: Path) -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_decision_is_listed_by_its_title() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text()
    for path in (DOCS / "decisions").glob("[0-9]*.md"):
        number, _, title = path.read_text().splitlines()[0].removeprefix("# ").partition(". ")
        assert f"{number}. [{title}]({path.name})" in listed, path.name
