"""The table of the exact gzip codec: what each row is held to, and that a miss is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.codec.contents import contents_of
from scripts.codec.goals import goal, header_alone
from scripts.codec.measure import Figures, Notes, Row
from scripts.codec.table import row, table


@pytest.mark.parametrize(
    ("name", "level", "said"),
    [
        ("Go 1.26.6", -1, "header"),
        ("Go 1.21.13", 1, "header"),
        ("Go 1.26.6", 9, "0.10%"),
        ("Go 1.27.3", -1, "0.10%"),
        ("Go 1.27.3", 1, "none"),
        ("pgzip over klauspost/compress 1.19.1", -1, "0.05%"),
        ("gzip over klauspost/compress 1.13.6", -1, "1.00%"),
        ("pgzip over klauspost/compress 1.19.1", 9, "none"),
        ("zlib, memLevel 9", 4, "0.10%"),
        ("GNU gzip", 1, "0.10%"),
        ("Docker Engine, push", 0, "header"),
        ("skopeo, copy", 0, "0.05%"),
        ("libdeflate, level 6", 0, "none"),
    ],
)
def test_what_an_encoder_is_held_to(name: str, level: int, said: str) -> None:
    assert str(goal(name, level)) == said


def test_a_frame_more_is_no_deviation() -> None:
    assert header_alone(64 + 16 * 26, 100 << 20)
    assert not header_alone(64 + 16 * 26 + 1, 100 << 20)


def figures(side: int, record: float, rebuild: float, content: str = "go") -> Figures:
    return Figures(content, "a model", 1_000_000, 3 << 20, side, 1.0, record, rebuild)


@pytest.mark.parametrize(
    ("side", "record", "rebuild", "said"),
    [
        (1000, 1.4, 1.0, "| met |"),
        (1001, 1.4, 1.0, "| **missed: side data** |"),
        (1000, 1.5, 1.0, "| **missed: record** |"),
        (1000, 1.4, 1.1, "| **missed: rebuild** |"),
        (9999, 9.9, 9.9, "| **missed: side data, record, rebuild** |"),
    ],
)
def test_a_row_says_what_it_misses(side: int, record: float, rebuild: float, said: str) -> None:
    assert row("GNU gzip", 6, [figures(side, record, rebuild)]).endswith(said)


def test_a_row_has_medians_and_names_the_worst_content() -> None:
    found = [figures(100, 1.0, 1.0), figures(200, 1.0, 0.5, "node"), figures(900_000, 2.0, 1.0, "packed")]
    cells = row("Go 1.27.3", 1, found).split(" | ")
    assert cells[3:] == ["0.0200%", "90.0000% (packed)", "none", "1.00", "1.00", "none set |"]


def test_trees_are_taken_in_part_and_no_content_is_larger_than_asked(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}").write_bytes(bytes([number]) * 10_000)
    (few,) = contents_of([f"tree={tmp_path}"], 100_000)
    assert {few.plain.count(bytes([number]) * 10_000) for number in (5, 45)} == {1}
    assert len(few.plain) < 130_000
    (file,) = contents_of([f"file={tmp_path / '01'}"], 4_000)
    assert file.plain == b"\x01" * 4_000
    with pytest.raises(SystemExit, match="NAME=PATH"):
        contents_of([str(tmp_path)], 1)


def test_a_run_that_was_ended_goes_on_and_says_what_is_missing(tmp_path: Path) -> None:
    notes, kept, other = Notes(tmp_path / "n.jsonl"), Row("GNU gzip", 6), Row("zlib-ng", 1)
    for content in ("go", "node"):
        notes.add(kept, figures(100, 1.0, 1.0, content))
    notes.add(other, figures(100, 1.0, 1.0)._replace(encode=None))
    again = Notes(tmp_path / "n.jsonl")
    assert again.rows == notes.rows
    assert again.has(other, "go")
    assert not again.has(other, "node")
    *_, whole, part = table(again)
    assert whole.endswith("| met |")
    assert part.endswith("| not measured: node |")
