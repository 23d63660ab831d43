"""Charts as vendors have them: made by Helm, in a chart repository that Helm indexed, or pushed by Helm."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.product.e2e_road import run
from tests.support.registry.servers import PASSWORD, USER
from tests.support.registry.tls import Authority
from tests.support.tools.http_server import listening

PROVENANCE = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nname: {name}\n-----END PGP SIGNATURE-----\n"
_POD = """apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-{{ .Chart.Name }}}
spec:
  containers:
    - {name: main, image: {{ .Values.image | quote }}}
"""


def write_chart(directory: Path, name: str, image: str, version: str = "1.0.0", more: str = "") -> Path:
    """A chart with one Pod; ``more`` goes into its Chart.yaml."""
    (directory / "templates").mkdir(parents=True)
    (directory / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {version}\n{more}")
    (directory / "values.yaml").write_text(f"image: {image}\n")
    (directory / "templates" / "pod.yaml").write_text(_POD)
    return directory


def package(helm: Path, chart: Path, out: Path, *, provenance: bool = False) -> Path:
    """Package it with Helm; the provenance file has the form, its signature is nobody's."""
    out.mkdir(parents=True, exist_ok=True)
    before = set(out.glob("*.tgz"))
    run(helm, "package", chart, "--destination", out)
    (archive,) = set(out.glob("*.tgz")) - before
    if provenance:
        archive.with_name(f"{archive.name}.prov").write_text(PROVENANCE.format(name=chart.name))
    return archive


def push(helm: Path, archive: Path, place: str, config: Path, *options: str | Path) -> None:
    """``helm push`` as a vendor's build does it; the provenance next to the archive goes along."""
    environment = {**os.environ, "HELM_REGISTRY_CONFIG": str(config), "HOME": str(config.parent)}
    run(helm, "push", archive, place, *options, env=environment)


class _Handler(SimpleHTTPRequestHandler):
    """Files, behind a password where one is set."""

    password = ""

    def do_GET(self) -> None:
        token = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        if self.password and self.headers.get("Authorization") != f"Basic {token}":
            self.send_error(401)
            return
        super().do_GET()

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def repository(
    helm: Path, directory: Path, *, password: str = "", authority: Authority | None = None
) -> Iterator[str]:
    """Serve a directory of packaged charts as a chart repository; yields its URL."""
    run(helm, "repo", "index", directory)
    handler = type("Handler", (_Handler,), {"password": password})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(directory)))
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate, authority.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme, name = ("https", "localhost") if authority else ("http", "127.0.0.1")
    with listening(server):
        yield f"{scheme}://{name}:{server.server_address[1]}"


def spy(helm: Path, directory: Path) -> Path:
    """A Helm that notes its arguments and environment in ``seen`` before it does what it is told."""
    directory.mkdir()
    program = directory / "helm"
    program.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >>{directory}/seen\nexec {helm} "$@"\n')
    program.chmod(0o755)
    return program


__all__ = ["PASSWORD", "USER", "package", "push", "repository", "spy", "write_chart"]
