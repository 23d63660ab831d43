"""A real kube-apiserver on a real etcd, on free local ports; nothing schedules or runs pods."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airstore.cluster.api.transport.connection import Connection, connect
from airstore.core.errors import TransferError
from airstore.tls.certificates import create_authority, issue

ADMIN, GUEST = "admin-token", "guest-token"  # of system:masters, and of somebody without any rights


@dataclass
class ApiServer:
    """A running API server.

    Attributes:
        kubeconfig: of an administrator.
        guest: kubeconfig of a user without rights.
    """

    directory: Path
    kubeconfig: Path
    guest: Path
    port: int
    command: list[str]
    process: subprocess.Popen[bytes]

    def kubectl(self, *words: str, stdin: object = None) -> str:
        """Run kubectl; ``stdin`` is an object it reads as JSON."""
        text = json.dumps(stdin) if stdin is not None else None
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *words],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(words)}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def granted(self, name: str, rules: Sequence[Mapping[str, Any]]) -> Iterator[Path]:
        """Rights of the guest for the length of the block, under this name; gives the guest's kubeconfig."""
        metadata = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
        self.kubectl("apply", "-f", "-", stdin={**metadata, "kind": "ClusterRole", "rules": list(rules)})
        self.kubectl("create", "clusterrolebinding", name, "--clusterrole", name, "--user", "guest")
        try:
            yield self.guest
        finally:
            self.kubectl("delete", "clusterrolebinding,clusterrole", name)

    def json(self, *words: str) -> Any:
        """What ``kubectl ... -o json`` says."""
        return json.loads(self.kubectl(*words, "-o", "json"))

    def stop(self) -> None:
        """End the server; what it stored stays in etcd."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Run it again."""
        self.process = _start(self.command, self.directory / "apiserver.log")

    def wait(self) -> None:
        """Until it is ready."""
        deadline = time.monotonic() + 60
        with connect(self.kubeconfig) as connection:
            while not _is_ready(connection):
                said = (self.directory / "apiserver.log").read_text()[-3000:]
                assert time.monotonic() < deadline, said
                assert self.process.poll() is None, said
                time.sleep(0.2)


def _is_ready(connection: Connection) -> bool:
    try:
        return connection.ask("/readyz")[0] == 200
    except TransferError:
        return False


def programs() -> tuple[str, str] | None:
    """etcd and kube-apiserver, if they are installed."""
    found = shutil.which("etcd"), shutil.which("kube-apiserver")
    return (found[0], found[1]) if found[0] and found[1] else None


@contextmanager
def api_server(directory: Path, etcd: str, apiserver: str) -> Iterator[ApiServer]:
    """Run both for the length of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    client_port, peer_port, port = free_ports(3)
    url, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    store = [etcd, "--data-dir", str(directory / "etcd"), "--unsafe-no-fsync", "--log-level", "error"]
    store += ["--listen-client-urls", url, "--advertise-client-urls", url]
    store += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
    store += ["--initial-cluster", f"default={peer}"]
    with ExitStack() as stack:
        database = _start(store, directory / "etcd.log")
        stack.callback(_end, database)
        command = [apiserver, *_options(directory, url, port)]
        server = ApiServer(
            directory,
            _kubeconfig(directory / "admin.yaml", port, ADMIN),
            _kubeconfig(directory / "guest.yaml", port, GUEST),
            port,
            command,
            _start(command, directory / "apiserver.log"),
        )
        stack.callback(lambda: _end(server.process))
        server.wait()
        yield server


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for entry in sockets:
        entry.bind(("127.0.0.1", 0))
    ports = [entry.getsockname()[1] for entry in sockets]
    for entry in sockets:
        entry.close()
    return ports


def _options(directory: Path, etcd: str, port: int) -> list[str]:
    key = directory / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    _certificates(directory)
    tokens = directory / "tokens.csv"
    tokens.write_text(f'{ADMIN},admin,admin,"system:masters"\n{GUEST},guest,guest\n')
    tokens.chmod(0o600)
    return [
        f"--etcd-servers={etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={directory / 'server.pem'}",
        f"--tls-private-key-file={directory / 'server.key'}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _certificates(directory: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    authority = create_authority("test", now)
    pair = issue(authority, ["localhost", "127.0.0.1"], now)
    (directory / "ca.pem").write_bytes(authority.certificate)
    (directory / "server.pem").write_bytes(pair.certificate)
    (directory / "server.key").write_bytes(pair.key)


def _kubeconfig(path: Path, port: int, token: str) -> Path:
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(path.parent / "ca.pem")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
