"""Where a receipt goes: ``-o`` is its form, as everywhere, and was once a file."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.product.road_parts import airstore, done, refused


def said_in(receipt: str) -> dict[str, Any]:
    """What it says, but for the moment, which passes between two of them."""
    payload = base64.b64decode(json.loads(receipt)["payload"])
    return {key: value for key, value in json.loads(payload)["predicate"].items() if key != "time"}


def test_a_receipt_goes_to_the_file_that_is_named(site: Path, tmp_path: Path) -> None:
    printed = said_in(done("-C", site, "receipt").out)
    assert said_in(done("-C", site, "receipt", "-o", "json").out) == printed
    for words in (("a",), ("--out", "b")):
        *option, name = words
        said = done("-C", site, "receipt", *option, tmp_path / name)
        assert said_in((tmp_path / name).read_text()) == printed
        assert "deprecated" not in said.err


def test_the_old_spelling_works_and_says_what_replaces_it(site: Path, tmp_path: Path) -> None:
    said = done("-C", site, "receipt", "-o", tmp_path / "old.json")
    assert f"write: airstore receipt {tmp_path / 'old.json'}" in said.err
    assert json.loads((tmp_path / "old.json").read_bytes())


@pytest.mark.parametrize("words", [("-o", "yaml"), ("-o", "table"), ("-o", "a", "b"), ("--out", "a", "b")])
def test_what_a_receipt_cannot_be_is_refused(
    words: tuple[str, ...], site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(airstore("-C", site, "receipt", *words), 2)
    assert not list(tmp_path.glob("[ab]"))
