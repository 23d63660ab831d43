"""``airstore self-update``: the tool on media takes the place of the one that runs, and can be taken back.

Versions lie side by side in one directory, beside two links: ``current`` is what runs, ``previous`` what ran
before. What runs has resolved its own place: nothing changes under it when ``current`` is led elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from airstore import __version__
from airstore.core.durable import storage_errors, sync_directory
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError, ProgramError, SequenceError
from airstore.core.frozen import frozen
from airstore.ops.tool import carry
from airstore.ops.tool.carry import CarriedTool
from airstore.ops.tool.platforms import of_machine

CURRENT, PREVIOUS = "current", "previous"
LAUNCHER = "airstore"
_TIMEOUT = 60  # seconds for a new version to say which one it is


@frozen
class Update:
    """What an update did, or would do.

    Attributes:
        before: the version that ran, a folder's name.
        after: the one that ``current`` leads to now; the same where there was nothing to do.
    """

    before: str
    after: str


def choose(carried: Sequence[CarriedTool], machine: str) -> CarriedTool:
    """The newest archive for a machine.

    Raises:
        IncompleteError: there is none.
    """
    platform = of_machine(machine)
    fitting = [each for each in carried if each.platform == platform]
    if not fitting:
        there = ", ".join(sorted({each.platform.name for each in carried}))
        raise IncompleteError(f"the media carry the tool for {there}, and this machine is {machine}")
    return max(fitting, key=lambda each: each.version)


def update(
    running: Path, chosen: CarriedTool, say: Callable[[str], None], *, dry_run: bool = False
) -> Update:
    """Put a verified archive beside the version that runs, and have ``current`` lead to it.

    Args:
        running: the folder of the bundle that runs.
        chosen: what its signed checksum lists.
        say: gets messages.
        dry_run: read and compare the archive, and stop there.

    Raises:
        SequenceError: it is older than what runs.
        DamagedError: it is not what its checksum says, or holds something else than a bundle.
        ProgramError: it does not start here.
        StorageError: the disk is full or read-only.
    """
    own = tuple(int(part) for part in __version__.split("."))
    if chosen.version < own:
        raise SequenceError(
            f"the media carry {chosen.folder}, which is older than this one, {__version__}",
            hint="airstore self-update --rollback goes back to what ran before the last update",
        )
    carry.check(chosen)
    if chosen.version == own or dry_run:
        return Update(running.name, running.name if chosen.version == own else chosen.folder)
    with storage_errors(running.parent):
        folder = _unpacked(running.parent, chosen)
        _check_starts(folder, chosen)
        final = running.parent / chosen.folder
        if final.exists():  # of an update that was interrupted, or rolled back
            shutil.rmtree(final)
        folder.replace(final)
        shutil.rmtree(folder.parent)
        _lead(running.parent, PREVIOUS, running.name)
        _lead(running.parent, CURRENT, chosen.folder)
    say(f"{running.parent / CURRENT} is {chosen.folder} now; {running.name} is kept")
    return Update(running.name, chosen.folder)


def roll_back(running: Path) -> Update:
    """Have ``current`` lead to what ran before the last update; once more undoes that.

    Raises:
        NotFoundError: nothing is kept.
        StorageError: the disk is read-only.
    """
    place = running.parent
    try:
        kept = (place / PREVIOUS).readlink().name
    except OSError:
        kept = ""
    if not kept or not (place / kept / LAUNCHER).is_file():
        raise NotFoundError(
            f"{place} keeps no version from before an update",
            hint="what was installed by hand stays as it is",
        )
    with storage_errors(place):
        before = (place / CURRENT).readlink().name if (place / CURRENT).is_symlink() else running.name
        _lead(place, CURRENT, kept)
        _lead(place, PREVIOUS, before)
    return Update(before, kept)


def _unpacked(place: Path, chosen: CarriedTool) -> Path:
    """The archive's folder in a temporary directory; what is unpacked is what was compared."""
    building = Path(tempfile.mkdtemp(prefix=".airstore-update-", dir=place))
    try:
        copy = building / "archive"
        shutil.copyfile(chosen.path, copy)
        carry.check_file(copy, chosen)
        with tarfile.open(copy, "r:gz") as tar:
            for member in tar:
                _extract(tar, member, building)
        copy.unlink()
        if not (building / chosen.folder / LAUNCHER).is_file():
            raise DamagedError(f"{chosen.path} holds no {chosen.folder}/{LAUNCHER}")
    except (tarfile.TarError, EOFError) as fault:
        shutil.rmtree(building, ignore_errors=True)
        raise DamagedError(f"{chosen.path} is no archive of a bundle: {fault}") from fault
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return building / chosen.folder


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, building: Path) -> None:
    """One plain file or folder, below ``building``; tarfile's own filters are not in every Python 3.11."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
        raise tarfile.ExtractError(f"{member.name!r} has no place in one")
    target = building / name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    data = tar.extractfile(member)
    assert data is not None  # noqa: S101 - regular files have content
    with target.open("xb") as file:
        shutil.copyfileobj(data, file)
        os.fchmod(file.fileno(), member.mode & 0o755)


def _check_starts(folder: Path, chosen: CarriedTool) -> None:
    version = ".".join(map(str, chosen.version))
    try:
        done = subprocess.run(
            [str(folder / LAUNCHER), "--version"], capture_output=True, check=False, timeout=_TIMEOUT
        )
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
    except (OSError, subprocess.TimeoutExpired) as fault:
        said = str(fault)
    if said != f"airstore, version {version}":
        shutil.rmtree(folder.parent, ignore_errors=True)
        raise ProgramError(
            f"{chosen.folder} does not start here: {said[:300]}",
            hint="what runs is unchanged; say so to its vendor",
        )


def _lead(place: Path, link: str, name: str) -> None:
    """Have a link lead to a folder beside it, at once."""
    made = place / f".{link}.new"
    made.unlink(missing_ok=True)
    made.symlink_to(name)
    made.replace(place / link)
    sync_directory(place)
