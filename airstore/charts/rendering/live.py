"""Rendering a chart as Helm will install it in one cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from airstore.charts.helm.access import ClusterAccess
from airstore.charts.helm.command import Helm
from airstore.charts.rendering.render import Document, RenderTarget, parse
from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.leftovers import scratch_directory
from airstore.core.parsing import strictjson, yamlfile

# What Helm refuses because of the cluster's present state, which an apply changes or preflight reports.
_STATE = re.compile(
    r"no matches for kind|ensure CRDs are installed|another operation \(|cannot be imported into the current"
    r"|conflict occurred while applying",
    re.IGNORECASE,
)
_Place = tuple[Path, str, str, Sequence[Path]]
_FORBIDDEN = re.compile(r"forbidden|unauthorized|must be logged in", re.IGNORECASE)


@frozen
class LiveCluster:
    """A cluster that charts are rendered against.

    Attributes:
        kubeconfig: None in a pod of it.
        version: such as ``v1.36.3``.
        api_versions: asks for what it serves: ``GROUP/VERSION`` and ``GROUP/VERSION/KIND``.
    """

    kubeconfig: Path | None
    version: str
    api_versions: Callable[[], Sequence[str]] = field(repr=False)

    @property
    def access(self) -> ClusterAccess:
        """How Helm reaches it."""
        return ClusterAccess(self.kubeconfig)


def render_live(
    helm: Helm, archive: bytes, target: RenderTarget, values: Sequence[bytes], cluster: LiveCluster, what: str
) -> tuple[Document, ...]:
    """What Helm would install; hooks are included, what is in ``crds/`` is not.

    Where Helm cannot rehearse it in the cluster as it is (its CRDs come with it, an earlier run left the Helm
    release pending, rights are missing) it is rendered with what is known of the cluster; the caller finds
    out what stands in the way.

    Args:
        helm: renders.
        archive: the chart's ``.tgz``.
        target: the Helm release.
        values: values files, later ones win.
        cluster: where it is to be installed.
        what: chart and variant, for errors.

    Raises:
        UsageError: the chart does not render.
    """
    with scratch_directory("render") as directory:
        chart = Path(directory, "chart.tgz")
        content, check_values = target.held(archive)
        chart.write_bytes(content)
        target = replace(target, check_values=check_values)
        files = list(_private_files(Path(directory), values))
        place = (chart, target.name, target.namespace, files)
        try:
            text = helm.rehearse(*place, what=what, cluster=cluster.access, check_values=target.check_values)
        except UsageError as fault:
            forbidden = bool(_FORBIDDEN.search(str(fault)))
            if not (forbidden or _STATE.search(str(fault))):
                raise
            rendered = _template(helm, place, target, cluster, what, seeing=not forbidden)
            return tuple(parse(rendered, what))
        return tuple(_documents(text, what))


def _template(
    helm: Helm, place: _Place, target: RenderTarget, cluster: LiveCluster, what: str, *, seeing: bool
) -> str:
    """Render by ``helm template``; ``seeing``: the chart may ask the cluster, unless that is what fails."""
    try:
        return helm.template(
            *place,
            what=what,
            kube_version=cluster.version,
            api_versions=cluster.api_versions() if seeing else (),
            include_crds=False,
            upgrade=target.upgrade,
            check_values=target.check_values,
            cluster=cluster.access if seeing else None,
        )
    except UsageError as fault:
        if not (seeing and _STATE.search(str(fault))):
            raise
        return helm.template(  # Helm 4 holds what it renders against the cluster's kinds here, too
            *place,
            what=what,
            kube_version=cluster.version,
            api_versions=cluster.api_versions(),
            include_crds=False,
            upgrade=target.upgrade,
            check_values=target.check_values,
        )


def _private_files(directory: Path, values: Sequence[bytes]) -> Iterator[Path]:
    for number, content in enumerate(values):
        path = directory / f"values-{number}.yaml"
        path.touch(mode=0o600)  # values may hold passwords
        path.write_bytes(content)
        yield path


def _documents(text: str, what: str) -> Iterator[Document]:
    record = strictjson.load_object(text.encode(), f"{what}: Helm's record")
    yield from parse(f"{str(record.get('manifest') or '').strip()}\n", what)
    for hook in record.get("hooks") or ():
        yield from _hook(hook, what)


def _hook(hook: Mapping[str, Any], what: str) -> Iterator[Document]:
    try:
        source, manifest = str(hook["path"]), str(hook["manifest"])
    except (KeyError, TypeError) as fault:
        raise DamagedError(f"{what}: Helm's record has a hook without {fault}") from fault
    for body in yamlfile.load_manifests(manifest, f"{what}: {source}"):
        if body is not None:
            yield Document(source, body)
