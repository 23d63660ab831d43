"""A chart directory as a packaged chart: Helm fetches dependencies, the bytes depend on files alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airstore.charts.helm.access import Reach, RepositoryLogin
from airstore.charts.helm.command import Helm
from airstore.charts.helm.sandbox import copy_chart
from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.tarball import write_tarball
from airstore.core.errors import UsageError
from airstore.core.leftovers import scratch_directory
from airstore.core.parsing import yamlfile

_GENERATED = re.compile(rb"^generated:.*$", re.MULTILINE)
_NEVER = b'generated: "1970-01-01T00:00:00Z"'
_LOCAL = "file://"
_DEPTH = 8  # local dependencies of local dependencies


def package_directory(helm: Helm, directory: Path, reach: Reach = RepositoryLogin) -> bytes:
    """Package a chart; the same files and dependencies give the same bytes, with any Helm.

    Everything happens on a private copy. Local dependencies (``file://``) are taken anew where they exist,
    others only where ``charts/`` lacks one.

    Raises:
        NotFoundError: the directory or a dependency does not exist.
        TransferError: a dependency's repository cannot be reached.
        UsageError: not a valid chart, or one with links or special files.
    """
    what = f"chart {directory}"
    with scratch_directory("chart") as work:
        local = _local_charts(Path(os.path.abspath(directory)))  # noqa: PTH100 - links are refused, not followed
        base = Path(os.path.commonpath([chart.parent for chart in local]))
        copies = {chart: Path(work, "charts", chart.relative_to(base)) for chart in local}
        for chart, copy in sorted(copies.items()):
            copy_chart(chart, copy)
        for copy in copies.values():
            _fetch_dependencies(helm, copy, reach, what, work)
        destination = Path(work, "packaged")
        destination.mkdir()
        packed = read_chart(helm.package(list(copies.values())[-1], destination, what), what)
    return write_tarball(packed.name, packed.files)


def _local_charts(directory: Path, seen: tuple[Path, ...] = ()) -> list[Path]:
    """The chart directories that go in, each after those it depends on, the chart itself last."""
    if directory in seen or len(seen) > _DEPTH:
        raise UsageError(f"chart {seen[0]} depends on itself or too deep, through {directory}")
    charts: dict[Path, None] = {}
    for path in _local_paths(directory):
        inner = Path(os.path.normpath(directory / path))
        charts |= dict.fromkeys(_local_charts(inner, (*seen, directory)))
    return [*charts, directory]


def _local_paths(directory: Path) -> list[str]:
    """Where local dependencies are; those that only ``charts/`` has are left to Helm, which wants no more."""
    paths = []
    for entry in _dependencies(directory):
        repository = entry.get("repository") or ""
        path = repository.removeprefix(_LOCAL)
        if not repository.startswith(_LOCAL) or _only_vendored(directory, path, entry):
            continue
        if path.startswith("/"):
            raise UsageError(f"chart {directory}: the dependency {repository} must be a relative path")
        paths.append(path)
    return paths


def _only_vendored(directory: Path, path: str, entry: Mapping[str, Any]) -> bool:
    return not (directory / path / "Chart.yaml").exists() and entry.get("name") in _vendored(
        directory / "charts"
    )


def _fetch_dependencies(helm: Helm, copy: Path, reach: Reach, what: str, around: Path) -> None:
    declared = [d for d in _dependencies(copy) if d.get("repository")]
    present = _vendored(copy / "charts")
    local = _local_paths(copy)
    missing = [
        d for d in declared if d["repository"].removeprefix(_LOCAL) in local or d.get("name") not in present
    ]
    if not missing:
        return
    for entry in declared:
        _check_reachable(entry, what)
    # Where all are local a lock file, which may be out of step, says nothing that counts.
    locked = (copy / "Chart.lock").exists() and len(local) < len(declared)
    helm.dependencies(copy, _needed(declared, reach), what, locked=locked, around=around)
    if not locked:
        _forget_time(copy / "Chart.lock")


def _check_reachable(entry: Mapping[str, Any], what: str) -> None:
    if entry["repository"].startswith(("@", "alias:")):
        raise UsageError(
            f"{what}: the dependency {entry.get('name')} names a repository of someone's own Helm",
            hint="write the repository's URL, or put the dependency into charts/",
        )


def _needed(declared: Iterable[dict[str, Any]], reach: Reach) -> list[RepositoryLogin]:
    urls = [d["repository"].rstrip("/") for d in declared if not d["repository"].startswith(_LOCAL)]
    # Helm logs in to a registry as a whole, not to a path in it.
    whole = ["/".join(url.split("/")[:3]) if url.startswith("oci://") else url for url in urls]
    return [reach(url) for url in dict.fromkeys(whole)]


def _vendored(charts: Path) -> set[str]:
    if not charts.is_dir():
        return set()
    packed = {read_chart(path).name for path in charts.glob("*.tgz")}
    return packed | {path.parent.name for path in charts.glob("*/Chart.yaml")}


def _dependencies(directory: Path) -> list[dict[str, Any]]:
    declared: list[dict[str, Any]] = []
    for name in ("Chart.yaml", "requirements.yaml"):
        path = directory / name
        if not path.is_file() or path.is_symlink():
            continue
        document = yamlfile.load(path.read_bytes(), str(path))
        entries = (document.get("dependencies") or []) if isinstance(document, dict) else []
        if not isinstance(entries, list):
            raise UsageError(f"{path}: dependencies must be a list")
        declared += (_check_dependency(entry, path) for entry in entries)
    return declared


def _check_dependency(entry: object, path: Path) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("repository", ""), str | None):
        raise UsageError(f"{path}: a dependency needs a name, a version and a repository")
    return entry


def _forget_time(lock: Path) -> None:
    if lock.is_file():
        lock.write_bytes(_GENERATED.sub(_NEVER, lock.read_bytes()))
