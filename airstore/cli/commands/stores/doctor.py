"""``airstore doctor``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.kubeconfig import find_kubeconfig
from airstore.cli.options.helm import find_helm, helm_option
from airstore.cli.views.output import output_option, show_rows
from airstore.core.errors import NotFoundError
from airstore.ops.stores.doctor import examine


@click.command("doctor")
@helm_option
@output_option("requirement-list")
@pass_context
def command(context: Context, *, helm_path: Path | None, output: str) -> None:
    """What is installed, what is missing, what that costs. Needs no store.

    Exit code 10 where something is missing that both sides need: git or Helm.
    """
    findings = list(examine(lambda: find_helm(helm_path), find_kubeconfig(None), context.store_path))
    columns = {"name": "WHAT", "state": "STATE", "found": "FOUND", "cost": "WITHOUT IT"}
    show_rows([asdict(finding) for finding in findings], output, columns)
    lacking = [finding.name for finding in findings if finding.needed and finding.state != "ok"]
    if lacking:
        raise NotFoundError(f"needed and not there: {', '.join(lacking)}", hint="install it, then look again")
