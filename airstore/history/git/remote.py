"""A git server, reached by the real ``git``: what it has, fetched and pushed.

Unlike `Git`, whose calls nothing of the user's has a say in, these know the user's credential helpers, SSH
keys and proxies: the environment is the caller's. Hooks and whatever would make git write elsewhere are off.
Nothing that a server sends is believed: it goes through `Quarantine` like a bundle from media.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, StorageError, TransferError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.core.work import at_work
from airstore.history.git.names import HEADS, MAIN, TAGS

_FIXED = (
    "--no-replace-objects",
    *("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false"),
    *("-c", "fetch.unpackLimit=1", "-c", "fetch.writeCommitGraph=false", "-c", "fetch.prune=false"),
    *("-c", "push.gpgSign=false", "-c", "push.followTags=false", "-c", "push.recurseSubmodules=no"),
    # A server that sends nothing for a minute is given up.
    *("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"),
)
_OURS = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "file:ssh:https:http"}
# What of a user's environment would point git at another repository than the one it is given.
_POINTERS = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|COMMON_DIR|"
    r"QUARANTINE_PATH|SHALLOW_FILE|TRACE.*|CURL_VERBOSE)"
)
_REF = re.compile(r"([0-9a-f]{40})\t(refs/\S{1,256})")
_SECRET = re.compile(r"://[^/\s@]*@")
_SAID = 4096  # bytes of git's own words that an error repeats
_CHUNK = 1 << 20
_FULL = re.compile(r"No space left|Disk quota|File too large|Read-only file system")
_LOGIN = re.compile(
    r"could not read (Username|Password)|Authentication failed|Permission denied|HTTP 40[13]|error: 40[13]"
    r"|terminal prompts disabled|Host key verification failed|insufficient permission"
)
_ABSENT = re.compile(
    r"does not appear to be a git repository|[Rr]epository.*not found|error: 404|does not exist"
)
_UNREACHABLE = re.compile(
    r"[Cc]ould not resolve|Connection (refused|timed out)|unable to access|Failed to connect"
)


@frozen
class RefUpdate:
    """What a ref of a server shall become.

    Attributes:
        ref: its full name.
        new: the object; None to remove it.
        expected: what it was when it was looked at; None where it was not there.
    """

    ref: str
    new: str | None
    expected: str | None

    @property
    def spec(self) -> str:
        """In git's form."""
        return f"{'+' if self.expected and self.new and self.ref != MAIN else ''}{self.new or ''}:{self.ref}"


@frozen
class Rejection:
    """That a server did not take a push, as a whole, and what it said."""

    said: str


class RemoteGit:
    """One repository on a git server.

    Args:
        url: of it, without credentials.
        environment: in which git runs.
        binary: the program.
    """

    def __init__(self, url: str, environment: Mapping[str, str], binary: str = "git") -> None:
        self.url = url
        self._binary = shutil.which(binary, path=environment.get("PATH"))
        kept = {name: value for name, value in environment.items() if not _POINTERS.fullmatch(name)}
        self._environment = {**kept, **_OURS}

    def refs(self, *branches: str) -> dict[str, str]:
        """Ref name to object: main, every tag, and branches whose names fit a pattern.

        Raises:
            TransferError: the server cannot be reached, or refused.
            NotFoundError: no such repository, or no git here.
        """
        wanted = (MAIN, f"{TAGS}*", *(HEADS + pattern for pattern in branches))
        said = self._run(None, ("ls-remote", "--refs", self.url, *wanted), "asking what it has")
        found = (_REF.fullmatch(line) for line in said.decode("utf-8", "replace").splitlines())
        return {match[2]: match[1] for match in found if match}

    def fetch(self, repository: Path) -> None:
        """Bring main and every tag into a bare repository, whose refs become the server's.

        Raises:
            TransferError, NotFoundError: as `refs`.
            DamagedError: what came is no history, or only the end of one.
            StorageError: the disk is full.
        """
        self._fetch(repository, (f"+{MAIN}:{MAIN}", f"+{TAGS}*:{TAGS}*"))

    def fetch_branches(self, repository: Path, branches: Iterable[str]) -> None:
        """Bring some branches; as `fetch` otherwise."""
        self._fetch(repository, [f"+{HEADS}{name}:{HEADS}{name}" for name in branches])

    def _fetch(self, repository: Path, specs: Sequence[str]) -> None:
        fixed = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
        self._run(repository, (*fixed, self.url, *specs), "fetching the history")

    def push(self, repository: Path, updates: Sequence[RefUpdate], tags: Iterable[str]) -> Rejection | None:
        """Move refs from where they were expected, together with new tags; all of it or nothing.

        Args:
            repository: has the objects.
            updates: of main and other branches.
            tags: names of tags that the server lacks.

        Returns:
            None, or why the server did not take it.

        Raises:
            TransferError, NotFoundError: as `refs`.
        """
        refs = [f"{TAGS}{name}:{TAGS}{name}" for name in tags]
        # A lease alone would allow a rewind, so it only guards what `expected` was read for.
        leases = [f"--force-with-lease={each.ref}:{each.expected or ''}" for each in updates]
        refs += [each.spec for each in updates]
        command = ("push", "--quiet", "--porcelain", "--atomic", *leases, self.url, *refs)
        said, fault = self._attempt(repository, command)
        if fault is None:
            return None
        if any(line.startswith("!") for line in said.decode("utf-8", "replace").splitlines()):
            return Rejection(_shown(said + b"\n" + fault))
        raise self._fault("pushing the history", fault)

    def _run(self, repository: Path | None, arguments: Sequence[str], doing: str) -> bytes:
        said, fault = self._attempt(repository, arguments)
        if fault is not None:
            raise self._fault(doing, fault)
        return said

    def _attempt(self, repository: Path | None, arguments: Sequence[str]) -> tuple[bytes, bytes | None]:
        """What git printed, and where it failed what it complained of."""
        if self._binary is None:
            raise NotFoundError("git was not found on PATH", hint="install git 2.30 or newer")
        where = (f"--git-dir={repository}",) if repository else ()
        said = bytearray()
        with (
            at_work("git %s (%s)", arguments[0], self.url),
            tempfile.TemporaryFile() as stderr,
            self._start((self._binary, *_FIXED, *where, *arguments), stderr) as process,
        ):
            try:
                while chunk := cast("IO[bytes]", process.stdout).read(_CHUNK):
                    said += chunk
                    if len(said) > LIMITS.json_document:
                        raise TransferError(f"{self.url}: the server lists more refs than any history has")
            except BaseException:
                process.kill()
                raise
            code = process.wait()
            return bytes(said), (_tail(stderr) or b"git failed") if code else None

    def _start(self, command: Sequence[str], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=self._environment,
            cwd="/",
        )

    def _fault(self, doing: str, fault: bytes) -> AirstoreError:
        said = _shown(fault)
        what = f"{self.url}: {doing}: git says: {said}"
        if _FULL.search(said):
            return StorageError(what, hint="free some space and run the same command again")
        if _LOGIN.search(said):
            hint = "log in as git does: a credential helper, GIT_ASKPASS or an SSH key, with rights on this"
            return TransferError(what, hint=hint)
        if _ABSENT.search(said):
            return NotFoundError(what, hint="check the URL; the repository must exist, it may be empty")
        if "shallow" in said:
            return DamagedError(
                what, hint="the server's repository is a shallow copy: push to it from a whole one"
            )
        hint = "check host, port and network" if _UNREACHABLE.search(said) else "run the same command again"
        return TransferError(what, hint=hint)


def _shown(said: bytes) -> str:
    """Git's own words in one line, without credentials that a URL in them may have."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines()]
    kept = [line for line in lines if line and line != "Done" and not line.startswith(("To ", "hint:"))]
    text = _SECRET.sub("://", "; ".join(kept))
    return "".join(letter if letter.isprintable() else " " for letter in text)[-600:]


def _tail(file: IO[bytes]) -> bytes:
    size = file.seek(0, 2)
    file.seek(max(0, size - _SAID))
    return file.read()
