"""Small charts and a chart repository for tests."""

from __future__ import annotations

import base64
import hashlib
import http.server
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from airstore.charts.packages.tarball import write_tarball
from tests.support.tools.http_server import listening

USER, PASSWORD = "vendor", "correct horse"


def write_chart(directory: Path, name: str, version: str = "1.0.0", **files: str) -> Path:
    """A chart directory; ``chart`` adds to its Chart.yaml, ``values`` and ``template`` replace its own."""
    (directory / "templates").mkdir(parents=True, exist_ok=True)
    extra = files.get("chart", "")
    (directory / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {version}\n{extra}")
    (directory / "values.yaml").write_text(files.get("values", "image: quay.io/a/b:1\n"))
    template = files.get(
        "template", "kind: ConfigMap\nmetadata: {name: c}\ndata: {IMAGE: '{{ .Values.image }}'}\n"
    )
    (directory / "templates" / "a.yaml").write_text(template)
    return directory


def packed(name: str, version: str = "1.0.0", chart: str = "", **files: str) -> bytes:
    """A packaged chart with the given template."""
    content = {"Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n{chart}"}
    content |= {"templates/a.yaml": files.get("template", "kind: ConfigMap\nmetadata: {name: c}\n")}
    content |= {"values.yaml": files.get("values", "{}\n")}
    return write_tarball(name, {path: text.encode() for path, text in content.items()})


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files behind a password, where one is set."""

    password = False

    def do_GET(self) -> None:
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.password and self.headers.get("Authorization") != f"Basic {token}":
            self.send_error(401)
            return
        super().do_GET()

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def chart_repository(
    directory: Path, charts: Mapping[tuple[str, str], bytes], *, password: bool = False
) -> Iterator[str]:
    """Serve charts as a chart repository over plain HTTP; yields its URL."""
    directory.mkdir(exist_ok=True)
    lines = ["apiVersion: v1", "entries:"]
    for (name, version), archive in charts.items():
        (directory / f"{name}-{version}.tgz").write_bytes(archive)
        digest = hashlib.sha256(archive).hexdigest()
        lines.append(f"  {name}: [{{apiVersion: v2, name: {name}, version: {version}, digest: {digest},")
        lines.append(f"    urls: [{name}-{version}.tgz]}}]")
    (directory / "index.yaml").write_text("\n".join(lines) + "\n")
    handler = type("Handler", (_Handler,), {"password": password})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(directory)))
    with listening(server) as host:
        yield f"http://{host}"
