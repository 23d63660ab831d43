"""Rules of CONTRIBUTING.md that neither ruff nor import-linter knows."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import airstore

PACKAGE = Path(airstore.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((PACKAGE.parent / "scripts").rglob("*.py"))
MODULES = 13
LINES = 300


def test_a_class_name_means_one_thing() -> None:
    names = Counter(
        node.name
        for file in FILES
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert len(names) > 500
    assert [name for name, count in names.items() if count > 1] == []


def test_a_folder_fits_on_a_page() -> None:
    modules = Counter(file.parent for file in FILES + SCRIPTS if file.name != "__init__.py")
    assert len(modules) > 50
    assert {str(folder): count for folder, count in modules.items() if count > MODULES} == {}


def test_a_file_fits_in_a_head() -> None:
    lines = {str(file): len(file.read_text("utf-8").splitlines()) for file in FILES + SCRIPTS}
    assert {file: count for file, count in lines.items() if count >= LINES} == {}
