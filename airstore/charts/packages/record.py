"""How large Helm's own record of a release gets: the Secret that each installation writes. Pure.

Source: helm.sh/helm pkg/storage/driver (util.go, ``encodeRelease``): JSON of the release, gzip at its best
level, base64; Kubernetes takes at most 1 MiB of data in a Secret. The record holds the chart's templates,
files, values and schema (subcharts are not in it), the given values, and what was rendered. A rollback
installs a chart whose one template is what was rendered, in a subchart (see `.literal`): its record is no
larger.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from airstore.charts.packages.archive import SCHEMA, ChartArchive
from airstore.charts.packages.literal import innermost
from airstore.core.frozen import frozen

LARGEST = 1 << 20  # bytes of a Secret's data
_SOURCE = re.compile(r"^---\n# Source: [^/\n]*/(.*)\n", re.MULTILINE)
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}  # as Go's encoding/json does
_OWN = frozenset({"Chart.yaml", "Chart.lock", "values.yaml", SCHEMA})
_SHOWN = 5


@frozen
class Record:
    """The record that an installation writes.

    Attributes:
        size: bytes of a Secret's data.
        largest: path within the chart to bytes that it takes in the record, compressed, largest first.
    """

    size: int
    largest: tuple[tuple[str, int], ...] = field(default=())


def record_of(chart: ChartArchive, values: Mapping[str, Any], rendered: str) -> Record:
    """The record of a Helm release.

    Args:
        chart: the chart.
        values: what is given on top of the chart's own values.
        rendered: manifests and hooks; definitions of ``crds/`` among them are left out.
    """
    manifest = _without_definitions(rendered)
    own = {path: data for path, data in chart.files.items() if not _is_other(path)}
    costs = {path: len(_compressed(base64.b64encode(data))) * 4 // 3 for path, data in own.items()}
    costs["what it renders to"] = len(_compressed(manifest.encode())) * 4 // 3
    largest = sorted(costs.items(), key=lambda each: -each[1])[:_SHOWN]
    return Record(len(_packed(_release(chart, own, values, manifest))), tuple(largest))


def _release(
    chart: ChartArchive, files: Mapping[str, bytes], values: Mapping[str, Any], manifest: str
) -> dict[str, Any]:
    named = [
        {"name": path, "data": base64.b64encode(data).decode()}
        for path, data in sorted(files.items())
        if path not in _OWN
    ]
    schema = files.get(SCHEMA)
    return {
        "name": chart.name,
        "info": {"status": "deployed", "description": "Upgrade complete", "notes": ""},
        "chart": {
            "metadata": dict(chart.metadata),
            "lock": chart.yaml("Chart.lock"),
            "templates": [each for each in named if each["name"].startswith("templates/")],
            "values": chart.yaml("values.yaml") or {},
            "schema": base64.b64encode(schema).decode() if schema else None,
            "files": [each for each in named if not each["name"].startswith("templates/")],
        },
        "config": dict(values),
        "manifest": manifest,
        "version": 1,
    }


def _packed(release: Mapping[str, Any]) -> bytes:
    text = json.dumps(release, ensure_ascii=False, separators=(",", ":"), default=str)
    for plain, escaped in _ESCAPED.items():
        text = text.replace(plain, escaped)
    return base64.b64encode(_compressed(text.encode()))


def _compressed(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=9, mtime=0)


def _is_other(path: str) -> bool:
    """Whether a file is a subchart's."""
    return innermost(path) != path or (path.startswith("charts/") and path.endswith(".tgz"))


def _without_definitions(rendered: str) -> str:
    parts = _SOURCE.split(rendered)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    kept = [
        f"---\n# Source: {path}\n{text}" for path, text in pairs if not innermost(path).startswith("crds/")
    ]
    return "".join(kept) if len(parts) > 1 else rendered
