"""The journal: what was written is read, a torn end is dropped, anything else is damage."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.deploy.run.journal import Journal, load_all, unfinished
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
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(DamagedError, match=r"journal\.jsonl:"):
        Journal.load(path.parent)


def test_no_flipped_bit_is_taken_for_what_was_written(tmp_path: Path) -> None:
    """A line break that goes takes the lines beside it along; of the last line, as a kill would."""
    events = [Event(Status.BEGIN, Step(StepKind.UPGRADE, "shop/db")), Event(Status.DONE)]
    path = write(tmp_path, events)
    data, plan = path.read_bytes(), Journal.load(path.parent).plan
    for place in range(len(data)):
        path.write_bytes(flipped(data, place, 1 << place % 8))
        try:
            read = Journal.load(path.parent)
        except DamagedError:
            continue
        assert (read.plan, read.end) == (plan, None)
        assert read.events == (events if place < len(data) - 1 else events[:-1])


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
