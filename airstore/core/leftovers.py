"""Temporary directories that say whose they are, so that what a killed process left is found and removed.

A name ends in its owner: process namespace, process id and the time that process started. A process id comes
again, with another start; a process of another namespace, such as a container's, is nobody's to judge here.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PREFIX = "airstore-"
_ELSEWHERE = "elsewhere"  # a file that names a directory outside of the temporary one
_OWNED = re.compile(r"\.?[^/]+-(?P<owner>(?P<space>\d+)\.(?P<pid>\d+)\.(?P<start>\d+))-[a-z0-9_]+")
_MOST = 4096  # bytes of a path


@contextmanager
def scratch_directory(purpose: str) -> Iterator[Path]:
    """A private temporary directory, gone at the end of the block; after a ``kill -9`` the next command's."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{purpose}-{_owner()}-") as made:
        yield Path(made)


def make_scratch(purpose: str) -> Path:
    """The same without a block; the caller removes it."""
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-{_owner()}-"))


@contextmanager
def building_directory(out: Path) -> Iterator[Path]:
    """A hidden directory beside ``out``, to be renamed to it; gone at the end of the block where it was not.

    It may be anywhere, so a scratch directory says where: that is how the next command finds it.
    """
    building = Path(tempfile.mkdtemp(prefix=f".{out.name}.tmp-{_owner()}-", dir=out.parent))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, building, ignore_errors=True)
        with suppress(OSError):  # no room for a note is no reason not to build: only a kill needs it
            note = stack.enter_context(scratch_directory("building"))
            (note / _ELSEWHERE).write_bytes(os.fsencode(building.absolute()))
        yield building


def sweep(directory: Path | None = None) -> list[Path]:
    """Remove what processes left that are gone: of this user, in the temporary directory by default."""
    removed: list[Path] = []
    with suppress(OSError):  # as where nothing can be written at all: the command says so, if it minds
        place = directory or Path(tempfile.gettempdir())
        with os.scandir(place) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(PREFIX)]
        for path in (place / name for name in names):
            if _is_left(path):
                removed += [*_removed_elsewhere(path), path]
                shutil.rmtree(path, ignore_errors=True)
    return removed


def _removed_elsewhere(note: Path) -> Iterator[Path]:
    with suppress(OSError):
        with (note / _ELSEWHERE).open("rb") as file:
            path = Path(os.fsdecode(file.read(_MOST)))
        # By the same owner: whatever the note says, nobody else's directory goes.
        if path.is_absolute() and _owner_of(path) == _owner_of(note) and _is_left(path):
            shutil.rmtree(path, ignore_errors=True)
            yield path


def _is_left(path: Path) -> bool:
    """Whether a directory is this user's, and its owner is gone."""
    found = _OWNED.fullmatch(path.name)
    if not found or found["space"] != _namespace():
        return False
    with suppress(OSError):
        status = path.lstat()
        directory = path.is_dir() and not path.is_symlink()
        return directory and status.st_uid == os.geteuid() and _start(int(found["pid"])) != found["start"]
    return False


def _owner_of(path: Path) -> str | None:
    found = _OWNED.fullmatch(path.name)
    return found["owner"] if found else None


def _owner() -> str:
    pid = os.getpid()
    return f"{_namespace()}.{pid}.{_start(pid)}"


def _namespace() -> str:
    """The number of the process namespace; 0, which is none, where the kernel does not say."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"


def _start(pid: int) -> str:
    """When a process started, in ticks since the machine did; 0 where there is none."""
    try:
        data = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return "0"
    return data.rpartition(b")")[2].split()[19].decode()  # the name before may hold blanks and brackets
