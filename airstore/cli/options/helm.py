"""Finding the Helm program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from airstore.charts.helm.command import Helm
from airstore.core.errors import NotFoundError

helm_option = click.option(
    "--helm",
    "helm_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The Helm program (or AIRSTORE_HELM); default: helm on PATH.",
)
kube_version_option = click.option(
    "--kube-version",
    "kube_versions",
    multiple=True,
    metavar="VERSION",
    help="Kubernetes that sites run; in place of the product file's kubeVersions. May be repeated.",
)
IN_CLUSTER = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def find_helm(named: Path | None) -> Helm:
    """The Helm to use.

    Raises:
        NotFoundError: there is none.
    """
    wanted = str(named or os.environ.get("AIRSTORE_HELM") or "helm")
    path = shutil.which(wanted)  # on PATH, or as it is where it has a slash
    if not path:
        raise NotFoundError(
            f"Helm was not found: {wanted} is no program" + ("" if "/" in wanted else " on PATH"),
            hint="install Helm 3 or 4, or name the program with --helm or AIRSTORE_HELM",
        )
    seen = {name: os.environ[name] for name in (*_PROXY, *IN_CLUSTER) if name in os.environ}
    return Helm(Path(path), environment=seen)
