"""Loading an image into a node's container runtime: locally, over ssh, or into k3s's image directory.

Only fixed argument vectors are run. Over ssh nothing is asked (``BatchMode``) and the host key must be known.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol

from airstore.core.durable import durable_file
from airstore.core.errors import AirstoreError, NotFoundError, TransferError, UsageError
from airstore.core.frozen import frozen

DEFAULT_SOCKET = "/run/containerd/containerd.sock"
K3S_SOCKET = "/run/k3s/containerd/containerd.sock"
_NAMESPACE = "k8s.io"  # where the kubelet's images are
_TARGET = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?")
_OPTIONS = (
    *("BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=15"),
    *("ServerAliveInterval=10", "ServerAliveCountMax=3"),  # else a node that is lost is waited for for ever
)
_SSH = ("ssh", "-T", *(word for option in _OPTIONS for word in ("-o", option)))
_SHORT, _LONG = 60.0, 1800.0  # seconds for a question, and for an import
_SAID = 500  # characters of a program's complaint


class ByteSink(Protocol):
    """Takes bytes."""

    def write(self, data: bytes, /) -> object:
        """Take all of these."""


Writer = Callable[[ByteSink], None]
"""Writes an OCI archive."""


class Loader(Protocol):
    """A way to a node's images."""

    def describe(self) -> str:
        """What it does, for people."""

    def has(self, reference: str, digest: str) -> bool:
        """Whether the node has this image under this reference; asked before anything is changed."""

    def load(self, write: Writer) -> None:
        """Import the archive that ``write`` writes."""


@frozen
class Ctr:
    """containerd's own client, on this machine or over ssh.

    Attributes:
        socket: of containerd, on the node.
        target: ``USER@HOST`` for ssh; empty: this machine.
        program: the client and what comes before it, such as ``k3s ctr``.
    """

    socket: str = DEFAULT_SOCKET
    target: str = ""
    program: tuple[str, ...] = ("ctr",)

    def __post_init__(self) -> None:
        if self.target and not _TARGET.fullmatch(self.target):
            raise UsageError(f"not a place for ssh: {self.target!r}", hint="write --ssh USER@HOST")

    def describe(self) -> str:
        """See `Loader`."""
        where = f"over ssh to {self.target}" if self.target else "on this machine"
        return f"{' '.join(self.program)} images import, {where}, socket {self.socket}"

    def has(self, reference: str, digest: str) -> bool:
        """See `Loader`.

        Raises:
            TransferError: ssh or containerd refused.
            NotFoundError: there is no such program here.
        """
        listing = self._run(("images", "ls", f"name=={reference}"), lambda _pipe: None, _SHORT)
        return any(line.split()[:1] == [reference] and digest in line for line in listing.splitlines())

    def load(self, write: Writer) -> None:
        """See `Loader`.

        Raises:
            TransferError: ssh or containerd refused.
            NotFoundError: there is no such program here.
        """
        self._run(("images", "import", "-"), write, _LONG)

    def argv(self, words: Sequence[str]) -> list[str]:
        """The whole command."""
        command = [*self.program, "--address", self.socket, "-n", _NAMESPACE, *words]
        if not self.target:
            return command
        user = self.target.rpartition("@")[0]
        # The far shell splits what ssh sends, so it is quoted for it. Only root may talk to containerd.
        return [*_SSH, "--", self.target, shlex.join(command if user == "root" else ["sudo", "-n", *command])]

    def _run(self, words: Sequence[str], write: Writer, timeout: float) -> str:
        argv = self.argv(words)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaints:
            process = _start(argv, out, complaints)
            fault: AirstoreError | None = None
            try:
                broken = _feed(process, write)
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                fault = TransferError(f"{argv[0]} did not end within {timeout:g} seconds and was stopped")
                raise fault from None
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            said = _text(complaints)
            if code or broken:
                raise self._refusal(said or f"exit code {code}")
            return _text(out, 1 << 20)

    def _refusal(self, said: str) -> TransferError:
        where = f"ssh {self.target}" if self.target else "containerd on this machine"
        hint = next((hint for mark, hint in _HINTS if mark in said), "")
        words = " ".join(line.strip("@ ") for line in said.splitlines())  # ssh frames its warnings
        host = self.target.rpartition("@")[2]
        shown = " ".join(words.split())[:_SAID]
        return TransferError(f"{where}: {shown}", hint=hint.format(target=self.target, host=host))


@frozen
class ImageDirectory:
    """A directory whose archives k3s or RKE2 imports by itself."""

    path: Path

    def describe(self) -> str:
        """See `Loader`."""
        return f"an archive in {self.path}, which k3s imports"

    def has(self, reference: str, digest: str) -> bool:  # noqa: ARG002 - a file does not say what k3s took of it
        """See `Loader`; never known.

        Raises:
            NotFoundError: there is no such directory.
        """
        if not self.path.is_dir():
            raise NotFoundError(
                f"there is no directory {self.path} on this machine",
                hint="run this on the node; k3s makes agent/images only when it is told to: mkdir -p it",
            )
        return False

    def load(self, write: Writer) -> None:
        """See `Loader`.

        Raises:
            StorageError: the archive cannot be written.
        """
        with durable_file(self.path / "airstore-registry.tar", mode=0o644) as file:
            write(file)


_HINTS = (
    (
        "IDENTIFICATION HAS CHANGED",
        "another host key than before; if the node is a new one, forget the old key: ssh-keygen -R {host}",
    ),
    ("Host key verification failed", "check the node's host key and add it to ~/.ssh/known_hosts"),
    (
        "Permission denied",
        "let your ssh key in at the node: ssh-copy-id {target}; and use root or a user with sudo",
    ),
    ("Connection refused", "is an ssh server running on the node?"),
    ("Could not resolve", "the node's name is not known here; give its address"),
    ("timed out", "the node does not answer; check address and firewall"),
    ("not responding", "the connection to the node was lost; once it is back run the same command again"),
    ("password is required", "the user needs sudo without a password for ctr, or use root"),
    ("no such file or directory", "containerd listens elsewhere: give --containerd-socket PATH"),
    ("connection error", "containerd listens elsewhere: give --containerd-socket PATH"),
    ("not found", "the node has no ctr; is it a containerd node?"),
)


def _start(argv: Sequence[str], out: IO[bytes], complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=complaints)
    except OSError as fault:
        raise NotFoundError(
            f"cannot run {argv[0]}: {fault.strerror}",
            hint="give --ssh USER@HOST to load the image from another machine than the node",
        ) from fault


def _feed(process: subprocess.Popen[bytes], write: Writer) -> bool:
    """Whether the program stopped reading before everything was written."""
    assert process.stdin is not None  # noqa: S101 - asked for as a pipe
    try:
        with process.stdin as pipe:
            write(pipe)
    except BrokenPipeError:
        return True
    return False


def _text(file: IO[bytes], limit: int = 4096) -> str:
    file.seek(0)
    return file.read(limit).decode("utf-8", "replace")
