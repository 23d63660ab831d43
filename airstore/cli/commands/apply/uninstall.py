"""``airstore uninstall``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.helm import helm_option
from airstore.cli.options.kubeconfig import kubeconfig_option
from airstore.cli.options.sitefile import site_file_option
from airstore.cli.views.output import output_option
from airstore.cli.views.plans import Reach, open_site, show_outcome, show_plan
from airstore.ops.apply.uninstall import plan_uninstall, uninstall


@click.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Print the plan, change nothing.")
@kubeconfig_option
@site_file_option
@helm_option
@output_option("run-outcome", "site-plan")
@pass_context
def command(
    context: Context,
    *,
    dry_run: bool,
    kubeconfig: Path | None,
    helm_path: Path | None,
    site_file: Path | None,
    output: str,
) -> None:
    """Uninstall the product's Helm releases in reverse order.

    Volume claims, namespaces and CustomResourceDefinitions stay, so that `airstore apply` finds its data.
    """
    with open_site(context, Reach(kubeconfig, helm_path, site_file), "uninstall", "uninstall") as session:
        if dry_run:
            show_plan(plan_uninstall(session), output, diff=False)
            return
        outcome = uninstall(session)
    show_outcome(outcome, output)
    if outcome.run:
        context.say("next: airstore apply installs it again, with the data that stayed")
