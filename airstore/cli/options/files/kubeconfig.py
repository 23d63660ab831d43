"""Option ``--kubeconfig``, and what it means when it is not given."""

from __future__ import annotations

import os
from pathlib import Path

import click

kubeconfig_option = click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The cluster; default: KUBECONFIG, ~/.kube/config, or the cluster this runs in.",
)


def find_kubeconfig(named: Path | None) -> Path | None:
    """The kubeconfig that was named, or the usual one; None in a pod, or where there is none."""
    if named:
        return named.absolute()
    listed = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    if listed:
        return Path(listed).absolute()
    usual = Path.home() / ".kube" / "config"
    return usual if usual.is_file() else None
