"""What media will weigh, and what made them large."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError
from airstore.media.delta.file import DeltaFile
from airstore.media.delta.format.layout import Stream, StreamSegment
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.format.table import NewPiece
from airstore.media.delta.making.carried import Noted
from airstore.media.delta.making.difference import PlacedPiece
from airstore.media.delta.making.pairing import File
from airstore.media.delta.notes import LARGEST, read_notes, write_notes
from airstore.store.blobs import Piece
from tests.support.product.road_parts import Road, airstore, delta_of, done, overwrite

Words = tuple[str, ...]
CHOICES: list[Words] = [
    (),
    ("--from", "1.0.0", "--parity", "10%"),
    ("--from", "1.0.0", "--effort", "none"),
    ("--effort", "fast"),
]


@pytest.mark.parametrize("words", CHOICES, ids=" ".join)
def test_a_dry_run_says_what_the_media_will_weigh(words: Words, road: Road, tmp_path: Path) -> None:
    out = tmp_path / "out"
    create = [str(word) for word in ("-C", road.publisher, "media", "create", "--to", "1.1.0", *words, out)]
    said = done(*create, "--dry-run", "-o", "json").json()["estimated_bytes"]
    assert not out.exists()
    made = done(*create, "-o", "json").json()["media_bytes"]
    files = [path for path in out.rglob("*") if path.is_file() and not path.name.startswith("index.")]
    assert said == made
    assert made == sum(path.stat().st_size for path in files)


def test_notes_that_say_they_are_huge_are_not_read_into_memory(road: Road) -> None:
    file = DeltaFile(delta_of(road.delta))
    assert file.notes()
    notes = next(each for each in file.table.segments if each.stream is Stream.NOTES)
    segments = (notes._replace(plain=LARGEST + 1 - notes.plain), *file.table.segments)
    file.table = replace(file.table, segments=segments)
    with pytest.raises(DamagedError, match=f"the notes of a delta are {LARGEST + 1} bytes"):
        file.notes()


def test_inspect_names_what_a_delta_is_made_of(road: Road) -> None:
    shown = done("media", "inspect", road.delta, "-o", "json").json()
    changed = [row for row in shown["largest"] if "shop/api" in row["image"] and row["base"]]
    assert changed
    assert all(row["base"] == row["file"] and "same path" in row["why"] for row in changed)
    assert len(shown["largest"]) <= 10
    size = delta_of(road.delta).stat().st_size
    assert 0.5 * size < sum(row["media_bytes"] for row in shown["images"]) <= size
    table = done("media", "inspect", road.delta).out
    assert "MOST EXPENSIVE" in table
    assert changed[0]["file"] in table


def test_inspect_says_why_a_first_release_is_large(road: Road) -> None:
    largest = done("media", "inspect", road.full_new, "-o", "json").json()["largest"]
    assert len(largest) == 10
    assert {row["base"] for row in largest} == {None}
    assert all(row["why"] == "no base: nothing like it was found" for row in largest)


def test_inspect_of_packs_and_of_damaged_media(road: Road, tmp_path: Path) -> None:
    assert done("media", "inspect", road.full, "-o", "json").json()["largest"] == []
    copied = road.copied(tmp_path / "copy")
    overwrite(delta_of(copied.delta), b"AIRDELT\x02 and then nothing that could be read")
    outcome = airstore("media", "inspect", copied.delta, "-o", "json")
    assert outcome.code == 0
    assert "cannot be read" in outcome.err
    assert outcome.json()["images"] == []


def test_each_piece_takes_its_share_of_its_own_frame_and_says_how_its_base_was_found() -> None:
    paths = ["a/lib-1.2.py", "a/same.py", "b/moved.py", "c/none.py", "d/useless.py"]
    old = ["a/lib-1.1.py", "a/same.py", "z/other.py", "d/useless.py"]
    olds = [PlacedPiece(Piece("", ()), File(f"{path}\x001", 9, "shop/api tar")) for path in old]
    news = [PlacedPiece(Piece("", ()), File(f"{path}\x001", 9, "shop/api tar")) for path in paths]
    made = [NewPiece(100, PieceKind.PATCH, 10, (n,)) for n in range(3)]
    made += [NewPiece(100, PieceKind.WHOLE, 100), NewPiece(300, PieceKind.WHOLE, 300)]
    segments = [
        StreamSegment(Stream.WHOLE, 50, 100),
        StreamSegment(Stream.WHOLE, 30, 300),
        StreamSegment(Stream.PATCHES, 6, 30),
    ]
    noted = [Noted(*each) for each in zip(news, [*olds[:3], None, olds[3]], strict=True)]
    written = write_notes(noted, made, segments)
    read = read_notes(written)
    assert read["images"] == [{"image": "shop/api", "media_bytes": 86}]
    assert [(row["file"], row["media_bytes"], row["base"], row["why"]) for row in read["files"]] == [
        ("c/none.py", 50, None, "no base: nothing like it was found"),
        ("d/useless.py", 30, None, "whole: a patch would save nothing, or next to nothing"),
        ("a/lib-1.2.py", 2, "a/lib-1.1.py", "base has the same path but for versions and hashes"),
        ("a/same.py", 2, "a/same.py", "base has the same path"),
        ("b/moved.py", 2, "z/other.py", "base has content in common"),
    ]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"images": [], "files": [{"file": "x"}]}', b'{"images": 1}'])
def test_notes_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedError):
        read_notes(data)
