"""How a command reaches the site's cluster, and what it needs there."""

from __future__ import annotations

from pathlib import Path

from airstore.cli.options.files.kubeconfig import kubeconfig_option
from airstore.cli.options.files.sitefile import site_file_option
from airstore.cli.options.gathered import gathered
from airstore.cli.options.helm import helm_option
from airstore.core.frozen import frozen


@frozen
class Reach:
    """``--kubeconfig``, ``--site-file`` and ``--helm``; None: the usual place."""

    kubeconfig: Path | None
    site_file: Path | None
    helm_path: Path | None


reach_options = gathered("reach", Reach, kubeconfig_option, site_file_option, helm_option)
