"""A real ssh server on a network address of its own, and an ssh that has the files of a test for it.

The server has the machine's files and processes, and so its containerd, but a network namespace of its own:
to ssh it is another host.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.product.e2e_road import run
from tests.support.product.e2e_world import wait_for

_LINK = "airstore-near"
_HERE, _THERE = "203.0.113.1", "203.0.113.2"  # addresses for examples, which no network has (RFC 5737)


@dataclass(frozen=True)
class SshServer:
    """A running server.

    Attributes:
        host: its address.
        programs: a directory with the ``ssh`` that uses the files of ``directory``.
    """

    host: str
    directory: Path
    programs: Path

    @property
    def log(self) -> str:
        """What it says of who came."""
        return (self.directory / "sshd.log").read_text()

    def know(self, key: str = "host") -> None:
        """Let the client know the server by a key."""
        words = (self.directory / f"{key}.pub").read_text().split()
        (self.directory / "known_hosts").write_text(f"{self.host} {words[0]} {words[1]}\n")

    def be_slow(self) -> None:
        """Let no more than a megabyte a second through to it."""
        run(
            "tc",
            "qdisc",
            "add",
            "dev",
            _LINK,
            "root",
            "tbf",
            "rate",
            "8mbit",
            "burst",
            "64kb",
            "latency",
            "1s",
        )

    def cut_off(self) -> None:
        """Let nothing through any more, in either direction and without a word."""
        run("ip", "link", "set", _LINK, "down")

    def connect(self) -> None:
        """Undo both."""
        run("ip", "link", "set", _LINK, "up")
        run("tc", "qdisc", "delete", "dev", _LINK, "root")

    def let_in(self, key: str) -> None:
        """Let only this key in."""
        (self.directory / "authorized_keys").write_text((self.directory / f"{key}.pub").read_text())


@contextmanager
def ssh_server(directory: Path) -> Iterator[SshServer]:
    """Run one for the length of the block; it knows no key and is not known."""
    directory.mkdir()
    for name in ("host", "client", "stranger"):
        keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(directory / name))
        run(*keygen)
    (directory / "authorized_keys").touch()
    (directory / "known_hosts").touch()
    with _network() as namespace, _process(directory, namespace):
        yield SshServer(_THERE, directory, _client(directory))


@contextmanager
def _network() -> Iterator[str]:
    name = f"airstore-{os.getpid()}"
    with ExitStack() as stack:
        run("ip", "netns", "add", name)
        stack.callback(run, "ip", "netns", "delete", name)  # and the link with it
        run("ip", "link", "add", _LINK, "type", "veth", "peer", "name", "far", "netns", name)
        run("ip", "address", "add", f"{_HERE}/30", "dev", _LINK)
        run("ip", "link", "set", _LINK, "up")
        run("ip", "-n", name, "address", "add", f"{_THERE}/30", "dev", "far")
        run("ip", "-n", name, "link", "set", "far", "up")
        yield name


@contextmanager
def _process(directory: Path, namespace: str) -> Iterator[None]:
    program = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if not program:
        pytest.fail("sshd is not installed: apt-get install openssh-server", pytrace=False)
    Path("/run/sshd").mkdir(exist_ok=True)  # an empty directory that sshd insists on
    lines = [
        f"ListenAddress {_THERE}",
        f"HostKey {directory / 'host'}",
        f"AuthorizedKeysFile {directory / 'authorized_keys'}",
        "StrictModes no",  # about directories above these files
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PidFile none",
        "LogLevel VERBOSE",
    ]
    (directory / "sshd_config").write_text("\n".join([*lines, ""]))
    words = ["ip", "netns", "exec", namespace, program, "-D", "-e", "-f", str(directory / "sshd_config")]
    with (directory / "sshd.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        wait_for(lambda: "listening" in (directory / "sshd.log").read_text() or process.poll() is not None)
        assert process.poll() is None, (directory / "sshd.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _client(directory: Path) -> Path:
    config = directory / "ssh_config"
    lines = [
        f"IdentityFile {directory / 'client'}",
        "IdentitiesOnly yes",
        f"UserKnownHostsFile {directory / 'known_hosts'}",
        "GlobalKnownHostsFile none",
    ]
    config.write_text("\n".join([*lines, ""]))
    (directory / "bin").mkdir()
    wrapper = directory / "bin" / "ssh"
    # airstore gives no such options: it is ssh's own configuration that says where these files are.
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper.parent
