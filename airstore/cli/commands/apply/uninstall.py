"""``airstore uninstall``."""

from __future__ import annotations

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.reach import Reach, reach_options
from airstore.cli.views.output import output_option
from airstore.cli.views.plans import open_site, show_outcome, show_plan
from airstore.ops.apply.uninstall import plan_uninstall, uninstall


@click.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Print the plan, change nothing.")
@reach_options
@output_option("run-outcome", "site-plan")
@pass_context
def command(
    context: Context,
    *,
    dry_run: bool,
    reach: Reach,
    output: str,
) -> None:
    """Uninstall the product's Helm releases in reverse order.

    Volume claims, namespaces and CustomResourceDefinitions stay, so that `airstore apply` finds its data.
    """
    with open_site(context, reach, "uninstall", "uninstall") as session:
        if dry_run:
            show_plan(plan_uninstall(session), output, diff=False)
            return
        outcome = uninstall(session)
    show_outcome(outcome, output)
    if outcome.run:
        context.next("airstore apply installs it again, with the data that stayed")
