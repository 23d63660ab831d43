"""The git command line, for the three things that libgit2 cannot do: make a pack, take one in, check it.

Every call has fixed arguments, an environment of its own and a repository of its own (see `scratch`), so that
no configuration, hook or variable of the user, and nothing that media bring, has a say. Nothing lasting is
written by git itself: what it made is synced and renamed by airstore, so that ``core.fsync``, which git
before 2.36 does not know, is not what durability rests on.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, BinaryIO, cast

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, StorageError, UsageError
from airstore.core.work import at_work
from airstore.history.git.names import is_commit

_OLDEST = (2, 24)  # --end-of-options; git 2.24 is of 2019
_INSTALL = "install git 2.24 or newer"
_FIXED = (
    "--no-replace-objects",
    *("-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync"),
    *("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false"),
)
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ALLOW_PROTOCOL": "file",
    "GIT_TERMINAL_PROMPT": "0",
}
_STDERR = 4096  # bytes of git's own words that an error repeats
_CHUNK = 1 << 20
_FULL = re.compile(r"No space left|Disk quota|File too large|Read-only file system|Input/output error")


class Git:
    """The ``git`` program, found on the user's PATH as a shell finds it, or where its name says."""

    def __init__(self, binary: str = "git") -> None:
        found = shutil.which(binary)  # now: git itself is given a PATH of ours, and runs in another directory
        self._binary = str(Path(found).absolute()) if found else binary
        self._missing = found is None
        # git may start itself once more, by name, where it does not find what it was installed with.
        path = f"{Path(self._binary).parent}:{_ENVIRONMENT['PATH']}"
        self._environment = {**_ENVIRONMENT, "PATH": path}
        self._checked = False

    def pack(
        self, repository: Path, wanted: Iterable[str], known: Iterable[str], write: Callable[[bytes], object]
    ) -> None:
        """Write a thin pack of what ``wanted`` commits and tags need beyond ``known`` commits.

        One thread, and no use of deltas and bitmaps that happen to be stored: the bytes depend on the objects
        and on git's version alone.

        Raises:
            NotFoundError: no git, or one too old.
            DamagedError: an object is missing or damaged.
        """
        lines = [_oid(oid) for oid in wanted] + [f"^{_oid(oid)}" for oid in known]
        with tempfile.TemporaryFile() as revisions:
            revisions.write(("\n".join(lines) + "\n").encode())
            revisions.seek(0)
            fixed = ("pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "--quiet")
            exact = ("--threads=1", "--no-reuse-delta", "--no-reuse-object", "--no-use-bitmap-index")
            self._run(repository, (*fixed, *exact), revisions, write, "making the history bundle")

    def pack_objects(self, repository: Path, oids: Iterable[str], write: Callable[[bytes], object]) -> None:
        """Write a pack of just these objects.

        Raises:
            NotFoundError: no git, or one too old.
            DamagedError: an object is missing or damaged.
        """
        with tempfile.TemporaryFile() as names:
            names.write("".join(f"{_oid(oid)}\n" for oid in oids).encode())
            names.seek(0)
            arguments = ("pack-objects", "--stdout", "--delta-base-offset", "--quiet", "--threads=1")
            self._run(repository, arguments, names, write, "packing the history")

    def index_pack(self, repository: Path, source: BinaryIO, what: str) -> None:
        """Store and index a pack that was made here; every object is hashed.

        Raises:
            NotFoundError: no git, or one too old.
            DamagedError: the pack is cut short or altered.
            StorageError: the disk is full or failed.
        """
        self._run(repository, ("index-pack", "--stdin"), source, _ignore, what)

    def take_pack(self, repository: Path, source: BinaryIO, limit: int, what: str) -> None:
        """Index the pack that ``source``'s file descriptor is positioned at, checking every object.

        Args:
            repository: a bare one, as `scratch` makes them.
            source: an open file; its descriptor's position counts, not its buffer's.
            limit: bytes. Always a plain number: git reads "100m" as 100.
            what: names the source in errors.

        Raises:
            NotFoundError: no git, or one too old.
            DamagedError: the pack is cut short, altered, too large, or holds what git's fsck refuses.
            StorageError: the disk is full or failed.
        """
        arguments = (
            "index-pack",
            "--stdin",
            "--fix-thin",
            "--strict",
            "--fsck-objects",
            f"--max-input-size={limit}",
        )
        self._run(repository, arguments, source, _ignore, what)

    def check_connected(self, repository: Path, tip: str, known: Iterable[str], what: str) -> None:
        """Check that everything is there that a commit needs beyond ``known`` commits, which are whole.

        Raises:
            NotFoundError: no git, or one too old.
            DamagedError: something is missing.
        """
        lines = [_oid(tip), *(f"^{_oid(oid)}" for oid in known)]
        arguments = ("rev-list", "--objects", "--quiet", "--stdin")
        with tempfile.TemporaryFile() as revisions:
            revisions.write(("\n".join(lines) + "\n").encode())
            revisions.seek(0)
            self._run(repository, arguments, revisions, _ignore, what)

    def _run(
        self,
        repository: Path,
        arguments: Sequence[str],
        stdin: IO[bytes] | int,
        take: Callable[[bytes], object],
        what: str,
    ) -> None:
        self._check_version()
        command = (self._binary, *_FIXED, f"--git-dir={repository}", *arguments)
        with (
            at_work("git %s (%s)", arguments[0], what),
            tempfile.TemporaryFile() as stderr,
            self._start(command, stdin, stderr) as process,
        ):
            try:
                output = cast("IO[bytes]", process.stdout)
                while chunk := output.read(_CHUNK):
                    take(chunk)
            except BaseException:
                process.kill()
                raise
            if process.wait():
                raise _fault(what, process.returncode, _tail(stderr))

    def _start(
        self, command: Sequence[str], stdin: IO[bytes] | int, stderr: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, env=self._environment, cwd="/"
            )
        except OSError as fault:
            raise NotFoundError(
                f"cannot run git ({self._binary}): {fault.strerror}", hint=_INSTALL
            ) from fault

    def _check_version(self) -> None:
        if self._checked:
            return
        if self._missing:
            where = "" if "/" in self._binary else " on PATH"
            raise NotFoundError(f"git was not found: {self._binary} is no program{where}", hint=_INSTALL)
        command = (self._binary, "version")
        with tempfile.TemporaryFile() as stderr, self._start(command, subprocess.DEVNULL, stderr) as process:
            said = process.communicate()[0].decode("ascii", "replace")
        match = re.match(r"git version (\d{1,4})\.(\d{1,4})", said)
        if match is None or (int(match[1]), int(match[2])) < _OLDEST:
            raise NotFoundError(f"{self._binary} is {_printable(said) or 'not git'}", hint=_INSTALL)
        self._checked = True


def _fault(what: str, code: int, said: bytes) -> AirstoreError:
    text = _printable(said.decode("utf-8", "replace"))
    if code < 0:
        return StorageError(f"{what}: git was killed by signal {-code}", hint="is there enough memory?")
    if _FULL.search(text):
        return StorageError(f"{what}: {text}", hint="free some space and run the same command again")
    return DamagedError(f"{what}: git says: {text}")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _tail(file: IO[bytes]) -> bytes:
    size = file.seek(0, 2)
    file.seek(max(0, size - _STDERR))
    return file.read()


def _oid(text: str) -> str:
    if not is_commit(text):
        raise UsageError(f"not a full object id: {text[:100]!r}")
    return text


def _ignore(_chunk: bytes) -> None:
    """For output that says nothing an exit code does not."""
