"""The size of Helm's own record: what is estimated when a release is made is what real Helm then writes."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.package import package_directory
from airstore.charts.packages.record import LARGEST, record_of
from airstore.charts.rendering.render import RenderTarget, render
from tests.support.kubernetes.apply_parts import Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]


_TABLE = """apiVersion: v1
kind: ConfigMap
metadata: {name: table}
data:
  t: |-
    {{- .Files.Get "t" | nindent 4 }}
"""


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm: Path, namespace: str) -> Landscape:
    return landscape(api, tmp_path, helm, namespace)


def words(count: int) -> str:
    """Text as documents have it: some of it repeats."""
    draw = random.Random(count)  # noqa: S311 - the same each time
    lines = (base64.b64encode(draw.randbytes(12)).decode() for _ in range(count))
    return "\n".join(f"{line} <b>and</b> so on" for line in lines)


def test_the_estimate_is_what_helm_writes(shop: Landscape, helm: Path) -> None:
    files = {"README.md": words(20_000), "t": words(3000), "templates/table.yaml": _TABLE}
    shop.release("1.0.0", {"db": "1.0.0"}, {"db": files})
    shop.run("apply")
    program = Helm(helm)
    archive = package_directory(program, shop.directory / "product" / "db")
    rendered = render(program, "db", archive, RenderTarget("db", shop.namespace))
    estimated = record_of(read_chart(archive), {}, rendered.text)
    assert estimated.size == pytest.approx(written(shop, 1), rel=0.02)
    # What is installed again as it was takes no more: what was rendered is in the record once.
    shop.by_hand("uninstall", "db", "--keep-history")
    shop.run("apply", "--repair")
    assert written(shop, 2) < 1.02 * estimated.size


def written(shop: Landscape, revision: int) -> int:
    """Bytes of data in the Secret of a revision."""
    secret = shop.api.json("get", "secret", f"sh.helm.release.v1.db.v{revision}", "-n", shop.namespace)
    return len(base64.b64decode(secret["data"]["release"]))


def test_a_chart_that_helm_could_not_keep_is_refused_when_the_release_is_made(shop: Landscape) -> None:
    shop.write({"db": "1.0.0"}, {"db": {"README.md": words(70_000)}})
    refused = shop.publisher("release", "create", "--version", "1.0.0", code=2)
    assert "Helm could not keep its record of these Helm releases" in refused.err
    assert "db: about 1" in refused.err
    assert "README.md (" in refused.err
    assert ".helmignore" in refused.err
    (shop.directory / "product" / "db" / ".helmignore").write_text("README.md\n")
    shop.publisher("release", "create", "--version", "1.0.0")


def test_one_that_is_close_to_it_is_told(shop: Landscape) -> None:
    size = 43_000
    shop.write({"db": "1.0.0"}, {"db": {"README.md": words(size)}})
    made = shop.publisher("release", "create", "--version", "1.0.0")
    assert f"close to the {LARGEST} bytes" in made.err
