"""Debian's real docker-registry for tests, with passwords, TLS or a token server, on a free local port."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airstore.core.image.digest import Digest
from tests.support.registry.tls import Authority
from tests.support.registry.tokens import TokenServer, token_server

USER, PASSWORD = "site", "correct horse"


@dataclass(frozen=True)
class RegistryServer:
    """A running registry."""

    host: str
    root: Path
    log: Path
    ca: Path | None = None
    tokens: TokenServer | None = None

    def blob_file(self, digest: Digest) -> Path:
        """Where it keeps a blob's bytes."""
        return self.root / f"docker/registry/v2/blobs/sha256/{digest.hex[:2]}/{digest.hex}/data"


@contextmanager
def registry_server(
    directory: Path,
    *,
    htpasswd: bool = False,
    tls: bool = False,
    tokens: bool = False,
    cache: bool = True,
    delete: bool = True,
) -> Iterator[RegistryServer]:
    """Run a registry for the length of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    host = f"localhost:{port}" if tls else f"127.0.0.1:{port}"
    storage: dict[str, object] = {
        "filesystem": {"rootdirectory": str(directory / "data")},
        "delete": {"enabled": delete},
    }
    if cache:
        storage["cache"] = {"blobdescriptor": "inmemory"}
    http: dict[str, object] = {"addr": f"127.0.0.1:{port}", "secret": "test"}
    config: dict[str, object] = {"version": "0.1", "log": {"level": "warn"}, "storage": storage, "http": http}
    authority = Authority.create(directory / "tls") if tls else None
    with ExitStack() as stack:
        issuer = stack.enter_context(token_server(directory / "tokens", USER, PASSWORD)) if tokens else None
        if authority:
            http["tls"] = {"certificate": str(authority.certificate), "key": str(authority.key)}
        if htpasswd:
            config["auth"] = {"htpasswd": {"realm": "site registry", "path": str(_passwords(directory))}}
        if issuer:
            config["auth"] = {"token": issuer.registry_settings}
        log = directory / "registry.log"
        stack.enter_context(_process(directory, config, log, port))
        yield RegistryServer(host, directory / "data", log, authority.ca if authority else None, issuer)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _process(directory: Path, config: dict[str, object], log: Path, port: int) -> Iterator[None]:
    program = shutil.which("docker-registry")
    assert program, "docker-registry is not installed: run scripts/tools"
    path = directory / "config.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    with log.open("wb") as output:
        process = subprocess.Popen([program, "serve", str(path)], stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_open(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60  # machines that run tests may be slow
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


def _passwords(directory: Path) -> Path:
    program = shutil.which("htpasswd")
    assert program, "htpasswd is not installed: run scripts/tools"
    done = subprocess.run([program, "-Bbn", "-C", "4", USER, PASSWORD], capture_output=True, check=True)
    path = directory / "htpasswd"
    path.write_bytes(done.stdout)
    return path


def received(connection: socket.socket, count: int) -> bytes:
    """So many bytes that come, in however many pieces; fewer where the other side closes."""
    data = b""
    while len(data) < count and (more := connection.recv(count - len(data))):
        data += more
    return data
