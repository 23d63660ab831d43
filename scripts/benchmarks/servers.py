"""Servers on loopback that the benchmark starts and ends by their process id: docker-registry, dockerd."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START = 30.0  # seconds that a server may take to answer
_REGISTRY = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: {quiet}}}}}
storage:
  filesystem: {{rootdirectory: {directory}}}
  delete: {{enabled: true}}
http: {{addr: "{host}"}}
"""


@dataclass(frozen=True)
class Registry:
    """A running docker-registry.

    Attributes:
        host: where it listens, with its port; it speaks plain HTTP.
        pid: its process id.
        log: what it writes; its access log, if that was asked for.
    """

    host: str
    pid: int
    log: Path

    def requests(self, repository: str) -> int:
        """How many requests for a repository, and of those for none, it has noted."""
        lines = self.log.read_text().splitlines()
        return sum(f"/v2/{repository}/" in line or '"GET /v2/ HTTP' in line for line in lines)


@contextmanager
def registry(directory: Path, *, noted: bool = False) -> Iterator[Registry]:
    """A docker-registry whose storage is new and gone afterwards; it notes requests where asked to."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    host = f"127.0.0.1:{_free_port()}"
    config = directory / "config.yml"
    config.write_text(
        _REGISTRY.format(directory=directory / "storage", host=host, quiet=str(not noted).lower())
    )
    with _server(["docker-registry", "serve", str(config)], directory / "log") as pid:
        _await(lambda: _answers(f"http://{host}/v2/"), directory / "log")
        yield Registry(host, pid, directory / "log")
    shutil.rmtree(directory)


@dataclass(frozen=True)
class Docker:
    """A running dockerd.

    Attributes:
        command: the client, told where the daemon listens.
        pid: the daemon's process id.
    """

    command: tuple[str, ...]
    pid: int


@contextmanager
def docker(directory: Path) -> Iterator[Docker | None]:
    """A dockerd with nothing in it and all its files under ``directory``; None where that is not possible."""
    if os.geteuid() or not shutil.which("dockerd") or not shutil.which("docker"):
        yield None
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    socket_url = f"unix://{directory / 'socket'}"
    words = ["dockerd", "--iptables=false", "--bridge=none", "--host", socket_url]
    words += ["--data-root", f"{directory / 'data'}", "--exec-root", f"{directory / 'exec'}"]
    words += ["--pidfile", f"{directory / 'pid'}"]
    client = ("docker", "--host", socket_url)
    with _server(words, directory / "log") as pid:
        _await(lambda: not subprocess.run([*client, "info"], capture_output=True, check=False).returncode,
               directory / "log")  # fmt: skip
        yield Docker(client, pid)
    shutil.rmtree(directory, ignore_errors=True)  # what is still mounted stays


@contextmanager
def airstore_registry(store: Path) -> Iterator[str]:
    """``airstore registry serve``; yields its host and port."""
    words = ["airstore", "-q", "-C", str(store), "registry", "serve", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().strip() if server.stdout else ""
        yield url.removeprefix("http://")
    finally:
        _end(server)


@contextmanager
def _server(words: list[str], log: Path) -> Iterator[int]:
    with log.open("w") as file:
        server = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield server.pid
    finally:
        _end(server)


def _end(server: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=_START)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _await(ready: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + _START
    while not ready():
        if time.monotonic() > end:
            sys.exit(f"a server does not start: {log}\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own server
            return bool(response.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
