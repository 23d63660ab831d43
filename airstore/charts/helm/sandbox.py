"""Private copies of what Helm is to work on, and what is never copied."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.limits import LIMITS


def check_private(directory: Path) -> Path:
    """The absolute path of a directory for Helm's own files, made if need be, closed to others.

    Raises:
        StorageError: it cannot be made.
    """
    with storage_errors(directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return directory.resolve()


def copy_values(values: Sequence[Path], directory: Path) -> list[Path]:
    """Copy values files under plain names: Helm splits paths at commas and takes some for URLs.

    Raises:
        NotFoundError: a file cannot be read.
        UsageError: a file is too large.
    """
    copies = []
    for index, path in enumerate(values):
        copy = directory / f"{index}.yaml"
        try:
            data = path.read_bytes()
        except OSError as fault:
            raise NotFoundError(f"cannot read the values file {path}: {fault.strerror}") from fault
        if len(data) > LIMITS.yaml_document:
            raise UsageError(f"{path} is {len(data)} bytes; at most {LIMITS.yaml_document} are accepted")
        copy.touch(mode=0o600)
        copy.write_bytes(data)
        copies.append(copy)
    return copies


def copy_chart(source: Path, destination: Path) -> None:
    """Copy a chart directory that holds regular files only.

    A link to a file of the chart itself is that file; one that leads out is refused: Helm before 3.18.4
    writes through a linked ``Chart.lock`` (CVE-2025-53547), and what it names is not part of the chart.

    Raises:
        NotFoundError: there is no such directory, or a file in it cannot be read.
        StorageError: the copy cannot be written.
        UsageError: it is not a chart, too large, or holds anything but files and directories.
    """
    if not (source / "Chart.yaml").is_file():
        kind = UsageError if source.is_dir() else NotFoundError
        raise kind(f"{source} is not a chart: it has no Chart.yaml")
    count = size = 0
    for path, mode, length in _walk(source, source):
        target = destination / path.relative_to(source)
        if stat.S_ISDIR(mode):
            target.mkdir(parents=True, exist_ok=True)
            continue
        count, size = count + 1, size + length
        if count > LIMITS.chart_files or size > LIMITS.chart_archive:
            raise UsageError(
                f"{source} has more than {LIMITS.chart_files} files or {LIMITS.chart_archive} bytes",
                hint="a chart directory must hold the chart alone",
            )
        _copy_file(path, target)


def _copy_file(source: Path, target: Path) -> None:
    try:
        file = source.open("rb")
    except OSError as fault:
        raise NotFoundError(f"cannot read {source}: {fault.strerror}") from fault
    with file, storage_errors(target), target.open("xb") as copy:
        shutil.copyfileobj(file, copy)


def _walk(directory: Path, top: Path) -> Iterator[tuple[Path, int, int]]:
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{directory} must be a directory, not a link to one")
    yield directory, found.st_mode, 0
    for path in sorted(directory.iterdir()):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(path, top)
        elif stat.S_ISREG(status.st_mode):
            yield path, status.st_mode, status.st_size
        elif stat.S_ISLNK(status.st_mode) and _stays(path, top):
            yield path, stat.S_IFREG, path.stat().st_size
        else:
            kind = "symbolic link that leads out" if stat.S_ISLNK(status.st_mode) else "special file"
            raise UsageError(
                f"{path} is a {kind}; a chart may hold regular files only",
                hint="put the file itself in its place",
            )


def _stays(link: Path, top: Path) -> bool:
    """Whether a link is another name of a file of the chart."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return False
    return target.is_relative_to(top.resolve()) and target.is_file()
