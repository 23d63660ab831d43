"""``airstore rollback``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.helm import helm_option
from airstore.cli.kubeconfig import kubeconfig_option
from airstore.cli.output import output_option
from airstore.cli.plans import Reach, open_site, show_outcome, show_plan
from airstore.cli.sitefile import site_file_option
from airstore.ops.rollback import plan_rollback, rollback


@click.command("rollback")
@click.option("--to", "version", default="", help="A release that ran here; default: the one before.")
@click.option("--keep-data", is_flag=True, help="Restore no backup: data stay as they are.")
@click.option("--dry-run", is_flag=True, help="Print the plan, change nothing.")
@kubeconfig_option
@site_file_option
@helm_option
@output_option
@pass_context
def command(
    context: Context,
    *,
    version: str,
    keep_data: bool,
    dry_run: bool,
    kubeconfig: Path | None,
    helm_path: Path | None,
    site_file: Path | None,
    output: str,
) -> None:
    """Go back to what ran before, data included; or turn back a run that has not ended.

    The backup that is restored is the one made when the release to go back to was left. What the site trusts
    stays: the newer release can be applied again.
    """
    with open_site(context, Reach(kubeconfig, helm_path, site_file), "rollback") as site:
        if dry_run:
            show_plan(plan_rollback(site, version), output, diff=True)
            return
        outcome = rollback(site, version, keep_data=keep_data)
    show_outcome(outcome, output)
