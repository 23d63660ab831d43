"""The journal: what was written is read, a torn end is dropped, anything else is damage."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.deploy.model.twofold import TwofoldLines
from airstore.deploy.run.journal import Journal, journal_faults, load_all, restore_journal, unfinished
from airstore.deploy.run.steps import End, Event, Status, Step, StepKind
from tests.support.product.road_parts import flipped

EVENTS = st.lists(
    st.builds(
        Event,
        st.sampled_from(Status),
        st.none() | st.builds(Step, st.sampled_from(StepKind), st.text(min_size=1, max_size=20)),
        st.text(max_size=50),
    ),
    max_size=8,
)


def write(directory: Path, events: list[Event], end: End | None = None) -> Path:
    journal = Journal.begin(directory / "run", {"mode": "apply", "who": "ümlaut\n"})
    for event in events:
        journal.record(event.status, event.step, event.detail)
    if end:
        journal.close(end)
    return directory / "run" / "journal.jsonl"


@given(events=EVENTS, end=st.none() | st.sampled_from(End))
def test_what_was_written_is_read(events: list[Event], end: End | None) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = write(Path(scratch), events, end)
        read = Journal.load(path.parent)
        assert (read.plan, read.events, read.end) == ({"mode": "apply", "who": "ümlaut\n"}, events, end)


@given(events=EVENTS, data=st.data())
def test_wherever_it_was_cut_off_a_prefix_is_read_and_can_go_on(
    events: list[Event], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = write(Path(scratch), events)
        whole = path.read_bytes()
        first = whole.index(b"\n") + 1
        path.write_bytes(whole[: data.draw(st.integers(first, len(whole)))])
        read = Journal.load(path.parent)
        assert read.events == events[: len(read.events)]
        read.record(Status.TURN)
        assert Journal.load(path.parent).events == [*read.events]


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b'{"status": "begin", "kind": "no-such-step", "item": "x", "detail": ""}\n',
        b'{"status": "maybe", "kind": "", "item": "", "detail": ""}\n',
        b'{"plan": {}}\n{"plan": {"a": 1}}\n',
        b'{"end": "succeeded"}\n{"end": "succeeded"}\n',
        b'{"end": "in tears"}\n',
    ],
)
def test_a_line_that_was_not_written_by_us_is_damage(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path, [])
    TwofoldLines(path).copy.unlink()
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(DamagedError, match=r"journal\.jsonl:"):
        Journal.load(path.parent)


def test_no_flipped_bit_is_taken_for_what_was_written(tmp_path: Path) -> None:
    """A line break that goes takes the lines beside it along; of the last line, as a kill would."""
    events = [Event(Status.BEGIN, Step(StepKind.UPGRADE, "shop/db")), Event(Status.DONE)]
    path = write(tmp_path, events)
    data, plan = path.read_bytes(), Journal.load(path.parent).plan
    TwofoldLines(path).copy.unlink()
    for place in range(len(data)):
        path.write_bytes(flipped(data, place, 1 << place % 8))
        try:
            read = Journal.load(path.parent)
        except DamagedError:
            continue
        assert (read.plan, read.end) == (plan, None)
        assert read.events == (events if place < len(data) - 1 else events[:-1])


RUN = [
    Event(Status.BEGIN, Step(StepKind.BACKUP, "shop/db")),
    Event(Status.DONE, Step(StepKind.BACKUP, "shop/db")),
    Event(Status.BEGIN, Step(StepKind.UPGRADE, "shop/db")),
    Event(Status.TURN),
]


def _places(data: bytes) -> list[int]:
    """Where to cut: around the end of each line, and some between."""
    ends = [place for place, letter in enumerate(data) if letter == 10]
    near = {place + more for place in ends for more in (-1, 0, 1)}
    return sorted({place for place in near if place < len(data)} | set(range(0, len(data), 29)))


@pytest.mark.parametrize("end", [None, End.ROLLED_BACK])
def test_no_line_is_lost_wherever_one_of_both_files_is_cut(tmp_path: Path, end: End | None) -> None:
    """A backup that was made is not made again over what was changed since, nor a change forgotten."""
    path = write(tmp_path, RUN, end)
    copy, whole = TwofoldLines(path).copy, path.read_bytes()
    lines = whole.count(b"\n")
    for file in (path, copy):
        for place in _places(whole):
            file.write_bytes(whole[:place])
            read = Journal.load(path.parent)
            assert (read.events, read.end) == (RUN, end), (file, place)
            # Killed before it reached the copy: the last line of it alone.
            told = file == path or whole[:place].count(b"\n") < lines - 1
            assert [str(file) in fault for fault in journal_faults(path.parent)] == [True] * told
            restore_journal(path.parent)
            assert path.read_bytes() == whole
            assert copy.read_bytes() == whole or not told
            file.write_bytes(whole)


def test_whichever_file_reads_is_believed_and_both_are_mended(tmp_path: Path) -> None:
    path = write(tmp_path, RUN)
    copy, whole = TwofoldLines(path).copy, path.read_bytes()
    for file in (path, copy):
        for data in (flipped(whole, len(whole) // 2), b"", whole[:-20], None):
            file.unlink() if data is None else file.write_bytes(data)
            journal = Journal.load(path.parent)
            assert journal.events == RUN
            journal.record(Status.RESUME)
            assert path.read_bytes() == copy.read_bytes()
            assert Journal.load(path.parent).events == [*RUN, Event(Status.RESUME)]
            for each in (path, copy):
                each.write_bytes(whole)


def test_what_is_sealed_is_whole(tmp_path: Path) -> None:
    """A run that was killed at its very end writes no line before it is sealed."""
    path = write(tmp_path, RUN)
    sealed = Journal.load(path.parent).seal()
    path.write_bytes(path.read_bytes()[:-9])
    assert Journal.load(path.parent).seal() == sealed


def test_files_that_say_different_things_are_damage(tmp_path: Path) -> None:
    path = write(tmp_path, RUN)
    other = write(tmp_path / "other", [Event(Status.TURN)])
    TwofoldLines(path).copy.write_bytes(other.read_bytes())
    with pytest.raises(DamagedError, match="say different things"):
        Journal.load(path.parent)


def test_a_kill_anywhere_in_writing_a_line_is_no_fault(tmp_path: Path) -> None:
    """As lines are written: the copy first with the first one, then the file first."""
    path = write(tmp_path, RUN)
    copy, whole = TwofoldLines(path).copy, path.read_bytes()
    ends = [place + 1 for place, letter in enumerate(whole) if letter == 10]
    path.unlink()
    for place in _places(whole[: ends[0] + 1]):
        copy.write_bytes(whole[:place])
        assert list(journal_faults(path.parent)) == []
        assert (unfinished(tmp_path) is None) == (place < ends[0])
    for place in _places(whole[: ends[0] + 1]):
        path.write_bytes(whole[:place])
        assert list(journal_faults(path.parent)) == []
    for before, after in pairwise(ends):
        copy.write_bytes(whole[:before])
        for file in (path, copy):
            for place in (each for each in _places(whole) if before <= each <= after):
                file.write_bytes(whole[:place])
                assert list(journal_faults(path.parent)) == []


def test_a_journal_of_before_there_were_copies_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"plan": {"mode": "apply"}}\n{"status": "tu')
    journal = Journal.load(tmp_path)
    journal.record(Status.TURN)
    assert (Journal.load(tmp_path).events, list(journal_faults(tmp_path))) == ([Event(Status.TURN)], [])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "text", ['{"plan": {"mode": "apply"}}', '{"plan": {"mode": "apply"}}\n{"end": "untouched"}']
)
def test_lines_of_older_versions_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "journal.jsonl").write_text(f"{text}\n")
    assert Journal.load(tmp_path).plan == {"mode": "apply"}


def test_the_run_that_has_not_ended_is_found(tmp_path: Path) -> None:
    for name, end in (("20260101T000000Z-1", End.SUCCEEDED), ("20260102T000000Z-1", None)):
        journal = Journal.begin(tmp_path / name, {"mode": "apply"})
        if end:
            journal.close(end)
    (tmp_path / "20260103T000000Z-1").mkdir()  # killed before its first line
    (tmp_path / "20260104T000000Z-1").mkdir()
    (tmp_path / "20260104T000000Z-1" / "journal.jsonl").write_bytes(b'{"plan": {"mo')  # ... within it
    found = unfinished(tmp_path)
    assert found
    assert found.name == "20260102T000000Z-1"
    assert [journal.name for journal in load_all(tmp_path)] == ["20260102T000000Z-1", "20260101T000000Z-1"]
    assert unfinished(tmp_path / "nowhere") is None
