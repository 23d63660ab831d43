"""What counts in Helm's record of a release, and what does not."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.charts.packages.archive import ChartArchive, read_chart
from airstore.charts.packages.literal import literal_chart
from airstore.charts.packages.record import LARGEST, record_of
from airstore.charts.packages.tarball import write_tarball
from airstore.process.confinement import Confinement
from tests.support.kubernetes.cluster_server import ApiServer

_META = b"apiVersion: v2\nname: app\nversion: 1.0.0\n"
RENDERED = "---\n# Source: app/templates/a.yaml\nkind: ConfigMap\n"


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression makes smaller."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same each time


def chart(**files: bytes) -> ChartArchive:
    named = {path.replace("__", "/").replace("_DOT_", "."): data for path, data in files.items()}
    packed = {"Chart.yaml": _META, "values.yaml": b"{}\n", **named}
    return read_chart(write_tarball("app", packed))


def test_files_count_and_the_largest_is_named() -> None:
    small = record_of(chart(), {}, RENDERED)
    large = record_of(chart(README_DOT_md=noise(300_000), notes=noise(1000)), {}, RENDERED)
    assert small.size < 2000
    # Noise of 300,000 bytes is in base64 twice, of which gzip gets one back.
    assert 390_000 < large.size < 420_000
    assert large.largest[0][0] == "README.md"
    assert large.largest[0][1] > 100 * large.largest[1][1] / 2


def test_subcharts_do_not_count_and_neither_do_definitions_twice() -> None:
    sub = write_tarball("sub", {"Chart.yaml": _META.replace(b"app", b"sub"), "notes": noise(300_000)})
    assert record_of(chart(**{"charts__sub-1_DOT_0_DOT_0_DOT_tgz": sub}), {}, RENDERED).size < 2000
    text = base64.b64encode(noise(200_000)).decode()
    definition = f"---\n# Source: app/crds/a.yaml\n{text}\n"
    assert record_of(chart(), {}, definition + RENDERED).size < 2000
    subchart = f"---\n# Source: app/charts/sub/crds/a.yaml\n{text}\n"
    assert record_of(chart(), {}, subchart + RENDERED).size < 2000
    assert record_of(chart(), {}, definition.replace("app/crds", "app/templates/crds")).size > 200_000


@pytest.mark.cluster
def test_a_rollbacks_record_is_no_larger_than_the_first(
    helm: Path, tmp_path: Path, api: ApiServer, namespace: str
) -> None:
    """Installed again, what nearly fills a Secret still fits: it is in Helm's record once."""
    text = base64.b64encode(noise(450_000)).decode()
    rendered = f"{RENDERED}apiVersion: v1\nmetadata: {{name: a}}\ndata: {{a: {text}}}\n"
    once = len(base64.b64encode(noise(450_000)))
    size = record_of(chart(), {}, rendered).size
    assert once < size < LARGEST
    (tmp_path / "kept.tgz").write_bytes(literal_chart(chart(), rendered))
    where = ["-n", namespace, "--kubeconfig", str(api.kubeconfig)]
    Helm(helm).run(["install", "app", str(tmp_path / "kept.tgz"), *where], "app", limits=Confinement())
    found = api.kubectl("get", "secret", "sh.helm.release.v1.app.v1", "-n", namespace, "-o", "json")
    assert abs(len(base64.b64decode(json.loads(found)["data"]["release"])) - size) < size / 100


def test_given_values_count() -> None:
    given = {"text": base64.b64encode(noise(100_000)).decode()}
    assert record_of(chart(), given, RENDERED).size > 130_000
