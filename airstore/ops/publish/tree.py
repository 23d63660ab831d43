"""The tree of a release commit: what auditors read, and what ``release.json`` vouches for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from airstore.charts.packages.resolve import ResolvedChart
from airstore.core.errors import UsageError
from airstore.core.limits import LIMITS
from airstore.core.model.product import Product, published
from airstore.core.model.release import HelmRelease
from airstore.deploy.hooks.jobs import is_job, read_job
from airstore.ops.publish.upstream.asked import key_files


def tree_files(
    product: Product, charts: Iterable[ResolvedChart], rendered: Mapping[str, str]
) -> dict[str, bytes]:
    """Every file of the tree but ``release.json`` and ``signatures/``.

    Args:
        product: the product file, kept as ``airstore.yaml`` without the publisher's sources.
        charts: unpacked below ``charts/NAME/`` for review.
        rendered: Helm release name to manifests, kept below ``rendered/``.

    Raises:
        UsageError: a values or hook file is too large, a hook's manifest is not one of a Job, or the key of a
            signer of images is no public key.
    """
    files = {"airstore.yaml": published(product)}
    for chart in charts:
        for path, data in chart.read().files.items():
            files[f"charts/{chart.name}/{path}"] = data
    for helm in product.helm_releases:
        for path in (*helm.values, *helm.hooks.values()):
            files[tree_path(helm, path)] = _read(product.path(path))
            _check_hook(helm, path, files[tree_path(helm, path)])
    for path in product.variants:
        files[_below("values", path)] = _read(product.path(path))
    files |= key_files(product)
    files |= {f"rendered/{name}.yaml": text.encode() for name, text in rendered.items()}
    return files


def in_tree(helm_releases: Sequence[HelmRelease]) -> tuple[HelmRelease, ...]:
    """The same Helm releases with their files named as the tree names them."""
    return tuple(
        replace(
            helm,
            values=tuple(tree_path(helm, path) for path in helm.values),
            hooks={name: tree_path(helm, path) for name, path in helm.hooks.items()},
        )
        for helm in helm_releases
    )


def tree_path(helm: HelmRelease, path: str) -> str:
    """Where a values file or a hook of a Helm release is in the tree."""
    return _below("hooks" if path in helm.hooks.values() else "values", path)


def _check_hook(helm: HelmRelease, path: str, content: bytes) -> None:
    # Here, where its author can fix it, and not at a site in the middle of an upgrade.
    if path in helm.hooks.values() and is_job(path):
        read_job(content, path)


def _below(top: str, path: str) -> str:
    clean = Path(path).as_posix()
    return clean if clean.startswith(f"{top}/") else f"{top}/{clean}"


def _read(path: Path) -> bytes:
    if path.stat().st_size > LIMITS.yaml_document:
        raise UsageError(f"{path} is larger than {LIMITS.yaml_document} bytes")
    return path.read_bytes()
