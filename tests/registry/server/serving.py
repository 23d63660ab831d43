"""A running registry for tests, and what it serves."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airstore.core.image.descriptor import Descriptor
from airstore.core.image.oci import HELM_CHART, HELM_CONFIG
from airstore.core.image.reference import Reference
from airstore.core.model.release import Chart, Image, Release
from airstore.registry.server.access import everybody
from airstore.registry.server.catalog import ReleaseCatalog
from airstore.registry.server.responses import Response
from airstore.registry.server.server import (
    AccessEntry,
    Listen,
    RunningServer,
    ServerLimits,
    Tls,
    make_app,
    running_server,
)
from airstore.registry.sources.graph import walk
from airstore.registry.sources.layout import OciLayout
from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import layouts
from tests.support.registry.layouts import Node

REPOSITORY = "shop/multi"
CHART = "apiVersion: v2\nname: web\nversion: 1.2.3+build.4\n"


@dataclass
class Site:
    """A running registry and what it was given."""

    server: RunningServer
    directory: Path
    nodes: dict[str, Node]
    release: Release
    log: list[AccessEntry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=20)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def logged(self, count: int, target: str = "") -> list[AccessEntry]:
        """The log's entries of a target; they come once a response has ended, after the client has it."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = [access for access in self.log if access.target.startswith(target)]
            if len(found) >= count:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{len(self.log)} entries, not {count}: {self.log}")

    def json(self, path: str) -> dict[str, Any]:
        response, body = self.get(path)
        assert response.status == 200, body
        document: dict[str, Any] = json.loads(body)
        return document


def chart(directory: Path, helm: Path) -> Chart:
    """A packaged chart in a layout, as ``helm push`` describes it."""
    source = directory / "web"
    (source / "templates").mkdir(parents=True)
    (source / "Chart.yaml").write_text(CHART)
    (source / "templates" / "map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
    layouts.run(helm, "package", source, "-d", directory)
    tgz = (directory / "web-1.2.3+build.4.tgz").read_bytes()
    writer = LayoutWriter(directory / "layout")
    config = writer.blob(b'{"name":"web","version":"1.2.3+build.4","apiVersion":"v2"}', HELM_CONFIG)
    archive = writer.blob(tgz, HELM_CHART)
    root = layouts.manifest(writer, config, [archive])
    parsed = [Descriptor.parse(node, "chart") for node in (root, config, archive)]
    return Chart("web", "1.2.3+build.4", "./web", parsed[0], parsed[2], tuple(parsed))


def release_of(directory: Path, *charts: Chart) -> Release:
    reference = Reference.parse(layouts.REFERENCE)
    with OciLayout.directory(directory) as source:
        graph = walk(source, reference)
    image = Image(reference, graph.root, graph.blobs, graph.referrers, graph.missing)
    return Release("shop", "1.0", 1, None, (), (image,), charts, (), {})


def largest(site: Site) -> Descriptor:
    return max(site.release.images[0].blobs, key=lambda blob: blob.size)


@contextmanager
def running(
    directory: Path,
    nodes: dict[str, Node],
    release: Release,
    tls: Tls | None = None,
    limits: ServerLimits = ServerLimits(),  # noqa: B008 - a value
    guard: Callable[[str], Response | None] = everybody,
) -> Iterator[Site]:
    """Serve a release from the layout that holds its blobs; a layout is a verifying reader."""
    log: list[AccessEntry] = []
    faults: list[str] = []
    with OciLayout.directory(directory) as blobs:
        app = make_app(ReleaseCatalog([release]), blobs, log.append, guard)
        with running_server(app, Listen(tls=tls), fault=faults.append, limits=limits) as server:
            yield Site(server, directory, nodes, release, log, faults)
