"""Schemas that somebody serves, charts that refer to them, and Helm as people have it: with a network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from airstore.charts.packages.tarball import write_tarball
from tests.support.tools.http_server import listening

CHART_YAML = b"apiVersion: v2\nname: shop\nversion: 1.0.0\n"
CONFIG_MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
FILES = {"Chart.yaml": CHART_YAML, "values.yaml": b"a: text\n", "templates/a.yaml": CONFIG_MAP}
FAR = "https://schemas.example/v1.json"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def packed(schema: object, **more: bytes) -> bytes:
    """A chart with this schema."""
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    return write_tarball("shop", {**FILES, "values.schema.json": text, **more})


@dataclass
class Served:
    """A server.

    Attributes:
        host: ``http://HOST:PORT``.
        asked: the path of each request.
        documents: path to what is served there; ``@`` in it is the server's URL.
    """

    host: str
    asked: list[str] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)

    def put(self, documents: Mapping[str, Any]) -> None:
        """Serve these, and nothing else."""
        self.documents.clear()
        self.documents.update({path: self.spell(document) for path, document in documents.items()})

    def spell(self, document: object) -> bytes:
        """A document with the server's URL in place of ``@``."""
        return json.dumps(document).replace("@", self.host).encode()


@contextmanager
def serving() -> Iterator[Served]:
    """A server, for the length of a block."""
    server: Served

    class Serving(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            found = server.documents.get(self.path)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_: Any) -> None:
            """Not to the terminal."""

    with listening(ThreadingHTTPServer(("127.0.0.1", 0), Serving)) as host:
        server = Served(f"http://{host}")
        yield server


def online(helm: Path, archive: bytes, values: object, directory: Path) -> bool:
    """Whether Helm, left to itself, takes the values; it may ask whom it likes."""
    chart, given = directory / "shop.tgz", directory / "values.json"
    chart.write_bytes(archive)
    given.write_text(json.dumps(values))
    command = [str(helm), "template", "shop", str(chart), f"--values={given}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "values don't meet the specifications" in done.stderr, done.stderr
    return done.returncode == 0
