"""A values schema that refers elsewhere: Helm with a cluster has the network, and would fetch it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airstore.charts.helm.access import ClusterAccess
from airstore.charts.helm.command import Helm
from airstore.charts.packages.tarball import write_tarball
from airstore.charts.rendering.live import LiveCluster, render_live
from airstore.charts.rendering.render import RenderTarget
from airstore.charts.schemas.documents import SchemaDocuments
from airstore.charts.schemas.references import foreign_references
from airstore.core.errors import UsageError
from airstore.core.model.release import HelmRelease
from airstore.deploy.helm.actions import HelmActions
from airstore.deploy.helm.calls import HelmCalls
from tests.support.kubernetes.deploy_world import MemoryCluster, MemorySupplies, make_target
from tests.support.tools.http_server import listening

ELSEWHERE, RECORDS = "/schema.json", "/api/v1/namespaces/default/secrets"
ANSWERS: dict[str, dict[str, Any]] = {
    "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    RECORDS: {"kind": "SecretList", "apiVersion": "v1", "items": []},
    ELSEWHERE: {"type": "array"},  # which no values are
}


@dataclass
class SmallCluster:
    """Enough of an API server for a chart without objects, and whoever serves the schema.

    Attributes:
        asked: ``METHOD PATH`` of each request.
        written: the Secrets in which Helm keeps its records, as it sent them.
    """

    kubeconfig: Path
    chart: bytes
    asked: list[str] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SmallCluster]:
    small = SmallCluster(tmp_path / "kubeconfig", b"")

    class Serving(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = ANSWERS.get(self._path())
            nothing = {"kind": "Status", "status": "Failure", "reason": "NotFound"}
            self._answer(404 if found is None else 200, json.dumps(found or nothing).encode())

        def do_POST(self) -> None:
            self._path()
            small.written.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(200, small.written[-1], self.headers["Content-Type"])

        def do_PUT(self) -> None:
            self.do_POST()

        def _path(self) -> str:
            path = self.path.partition("?")[0]
            small.asked.append(f"{self.command} {path}")
            return path

        def _answer(self, code: int, data: bytes, kind: str = "application/json") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Not to the terminal."""

    with listening(ThreadingHTTPServer(("127.0.0.1", 0), Serving)) as host:
        schema = json.dumps({"$ref": f"http://{host}{ELSEWHERE}"}).encode()
        metadata = b"apiVersion: v2\nname: shop\nversion: 1.0.0\n"
        small.chart = write_tarball("shop", {"Chart.yaml": metadata, "values.schema.json": schema})
        small.kubeconfig.write_text(json.dumps(kubeconfig(f"http://{host}")))
        yield small


def kubeconfig(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "a", "user": {}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }


def test_a_plan_fetches_no_schema(helm: Path, cluster: SmallCluster, tmp_path: Path) -> None:
    live = LiveCluster(cluster.kubeconfig, "v1.33.0", lambda: ())
    assert render_live(Helm(helm), cluster.chart, RenderTarget("shop"), (), live, "chart shop") == ()
    assert f"GET {RECORDS}" in cluster.asked
    assert f"GET {ELSEWHERE}" not in cluster.asked
    packed = tmp_path / "shop.tgz"
    packed.write_bytes(cluster.chart)
    with pytest.raises(UsageError, match="values don't meet the specifications"):
        Helm(helm).rehearse(
            packed, "shop", "default", what="chart shop", cluster=ClusterAccess(cluster.kubeconfig)
        )
    assert f"GET {ELSEWHERE}" in cluster.asked  # so this is what the guard is for


def test_a_plan_holds_values_against_a_schema_that_came_along(helm: Path, cluster: SmallCluster) -> None:
    live = LiveCluster(cluster.kubeconfig, "v1.33.0", lambda: ())
    (url,) = foreign_references(cluster.chart)

    def plan(schema: object, values: bytes) -> None:
        target = RenderTarget("shop", schemas=SchemaDocuments({url: schema}))
        render_live(Helm(helm), cluster.chart, target, (values,), live, "chart shop")

    plan({"properties": {"a": {"type": "integer"}}}, b"a: 1")
    with pytest.raises(UsageError, match="values don't meet the specifications"):
        plan({"properties": {"a": {"type": "integer"}}}, b"a: text")
    assert f"GET {ELSEWHERE}" not in cluster.asked


def test_a_run_fetches_no_schema(helm: Path, cluster: SmallCluster, tmp_path: Path) -> None:
    target, _ = make_target(HelmRelease("shop", "default", "shop"), "1.0.0", ())
    supplies = MemorySupplies({(target.running.key, target.version): cluster.chart})
    calls = HelmCalls(Helm(helm), cluster.kubeconfig, tmp_path / "guard.lock")
    HelmActions(calls, MemoryCluster(), supplies, supplies).install(target, wait=False)
    assert b"pending-install" in cluster.written[0]
    assert b"deployed" in cluster.written[-1]
    assert f"GET {ELSEWHERE}" not in cluster.asked
