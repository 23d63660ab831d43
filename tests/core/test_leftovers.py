"""What a killed process left is found and removed; what belongs to a running one, or to another, stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airstore.core import leftovers
from airstore.core.leftovers import building_directory, make_scratch, scratch_directory, sweep

_HOLD = """
import sys
from pathlib import Path
from airstore.core.leftovers import building_directory, scratch_directory
with scratch_directory("helm") as made, building_directory(Path(sys.argv[1])) as building:
    (made / "values.yaml").write_text("password: hunter2")
    (building / "packs").mkdir()
    print(made, building, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


@contextmanager
def holding(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path, Path]]:
    """A process that has a scratch directory, and builds something elsewhere."""
    command = [sys.executable, "-c", _HOLD, str(place.parent / "media")]
    environment = os.environ | {"TMPDIR": str(place)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        made, building = map(Path, running.stdout.readline().split())
        yield running, made, building
        running.kill()


def test_what_a_killed_process_left_goes_wherever_it_is(place: Path) -> None:
    with holding(place) as (running, made, building):
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert (made / "values.yaml").exists()
        assert building.parent == place.parent
        assert set(sweep()) >= {made, building}
    assert list(place.iterdir()) == []
    assert list(place.parent.iterdir()) == [place]


def test_what_a_running_process_has_stays(place: Path) -> None:
    with holding(place) as (running, made, building):
        assert sweep() == []
        assert (made / "values.yaml").exists()
        assert building.is_dir()
        running.communicate("")
    assert list(place.iterdir()) == []
    assert list(place.parent.iterdir()) == [place]


def test_ones_own_stay(place: Path) -> None:
    with scratch_directory("a") as one, building_directory(place / "out") as other:
        mine = make_scratch("b")
        assert sweep() == []
        assert all(path.is_dir() for path in (one, other, mine))
    assert list(place.iterdir()) == [mine]


def dead(space: str | None = None, pid: int | None = None, start: str = "1") -> str:
    """The name of something by a process that is gone: this one's id, at another time."""
    namespace = leftovers._namespace() if space is None else space
    return f"airstore-helm-{namespace}.{pid or os.getpid()}.{start}-abcdefgh"


def test_an_id_that_came_again_is_another_process(place: Path) -> None:
    (place / dead()).mkdir()
    assert sweep() == [place / dead()]


@pytest.mark.parametrize(
    "name",
    [
        dead(space="1"),  # of a container, whose processes nobody sees here
        dead(space="0"),
        "airstore-helm-abcdefgh",  # as versions of before named them: nobody knows whose it is
        "other-1.1.1-abcdefgh",
        "airstore-1.1-abc",
    ],
    ids=["container", "nowhere", "older", "other", "short"],  # the process is another in each worker
)
def test_what_is_not_known_to_be_left_stays(name: str, place: Path) -> None:
    (place / name).mkdir()
    assert sweep() == []
    assert (place / name).is_dir()


def test_links_and_files_stay(place: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (place / dead()).symlink_to(tmp_path / "kept")
    (place / dead(start="2")).touch()
    assert sweep() == []
    assert (tmp_path / "kept" / "file").exists()


@pytest.mark.parametrize("name", ["media", ".media.tmp-1.2.3-abc", ".media.tmp-other", "../kept"])
def test_a_note_that_names_anything_else_removes_nothing(name: str, place: Path, tmp_path: Path) -> None:
    """Whoever can write into the temporary directory has no say over what else goes."""
    note = place / dead()
    note.mkdir()
    target = tmp_path / name
    target.mkdir(parents=True, exist_ok=True)
    (note / "elsewhere").write_text(str(target))
    assert sweep() == [note]
    assert target.is_dir()


def test_a_note_removes_nothing_that_another_process_left(place: Path, tmp_path: Path) -> None:
    note, target = place / dead(), tmp_path / dead(start="2")
    note.mkdir()
    target.mkdir()
    (note / "elsewhere").write_text(str(target))
    assert sweep() == [note]
    assert target.is_dir()


def test_what_another_user_left_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / dead()).mkdir()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert sweep() == []
    monkeypatch.undo()
    assert (place / dead()).is_dir()


def test_the_next_command_sweeps(place: Path) -> None:
    (place / dead()).mkdir()
    command = [sys.executable, "-m", "airstore", "completion", "bash"]
    subprocess.run(command, env=os.environ | {"TMPDIR": str(place)}, check=True, capture_output=True)
    assert list(place.iterdir()) == []


def test_an_ordinary_end_from_outside_leaves_nothing(place: Path) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, of these tests, has it ignored\n"
        "from airstore.cli import main\n"
        "from airstore.core.leftovers import scratch_directory\n"
        "def work(_arguments):\n    with scratch_directory('helm'):\n        print('at work', flush=True)\n"
        "        time.sleep(60)\nmain.exit_code = work\nmain.run()\n"
    )
    environment = os.environ | {"TMPDIR": str(place)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        with subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE
        ) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == b"at work\n"
            running.send_signal(number)
            assert running.wait() == 128 + number
        assert list(place.iterdir()) == []


def test_where_nothing_temporary_can_be_made_a_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert sweep() == []
    with building_directory(tmp_path / "out") as building:
        assert building.is_dir()
    assert list(tmp_path.iterdir()) == []
