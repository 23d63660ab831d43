"""``airstore rollback``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.confirm import Losses, confirm, loss_options
from airstore.cli.options.files.sitefile import read_site_file
from airstore.cli.options.imagechecks import ImageWishes, image_options
from airstore.cli.options.reach import Reach, reach_options
from airstore.cli.options.registries import registry_access
from airstore.cli.views.output import output_option, show_document
from airstore.cli.views.plans import open_site, show_outcome, show_plan
from airstore.ops.apply.give_up import abandoned as find_abandoned
from airstore.ops.apply.give_up import given_up_going_back
from airstore.ops.apply.push import RegistryPush
from airstore.ops.apply.restore import Choice
from airstore.ops.apply.rollback import Rollback, RollbackPlan
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import SITE


@click.command("rollback")
@click.option("--to", "version", default="", help="A release that ran here; default: the one before.")
@click.option(
    "--backup",
    "runs",
    multiple=True,
    metavar="RUN",
    help="Restore the backups of this run (`airstore backup list`), not those of the release. Repeatable.",
)
@click.option("--keep-data", is_flag=True, help="Restore no backup: data stay as they are.")
@loss_options
@click.option("--dry-run", is_flag=True, help="Check the prerequisites and print the plan, change nothing.")
@image_options
@reach_options
@registry_access
@output_option("run-outcome", "rollback-plan")
@pass_context
def command(
    context: Context,
    *,
    version: str,
    runs: tuple[str, ...],
    keep_data: bool,
    losses: Losses,
    dry_run: bool,
    images: ImageWishes,
    reach: Reach,
    access: RegistryOptions,
    output: str,
) -> None:
    """Go back to what ran before, data included; or turn back a run that has not ended.

    Run again, it goes further back. The backup that is restored is the one made when the release to go back
    to was left. What the site trusts stays: the newer release can be applied again.
    """
    if keep_data and runs:
        raise click.UsageError("--keep-data restores nothing, and --backup chooses what to restore")
    store = context.store(SITE, "rollback")
    keys, left = given_up_going_back(store, losses.skipped), find_abandoned(store, losses.abandoned)
    push = images.pushes(read_site_file(context.store_path, reach.site_file))
    checks = images.checks(access, pushed=push and dry_run)
    with open_site(context, reach, "rollback") as session:
        wanted = Rollback(session, checks, version, Choice(keep_data, keys, runs), left)
        if dry_run:
            _show(wanted.plan(), output)
            return
        if keys or left:
            confirm(context, "\n".join(_losses(keys, left)), yes=losses.yes)
        outcome = wanted.run(RegistryPush(session, access) if push else None)
    show_outcome(outcome, output)
    if outcome.run:
        context.next("airstore status")


def _losses(unrestored: Iterable[str], left: Iterable[str]) -> Iterator[str]:
    for key in sorted(unrestored):
        yield f"{key} is not restored: its data stay as what runs now has left them"
    for key in sorted(left):
        yield f"{key} is stopped and not installed again; whatever needs it may not run either"


def _show(planned: RollbackPlan, output: str) -> None:
    if output != "table":
        document = {**asdict(planned.plan), "restores": dict(planned.restores)}
        show_document(document, output, schema="rollback-plan")
        return
    lines = [f"{key}: data from the backup of run {run}" for key, run in planned.restores.items()]
    note = "\n".join([*(lines or ["no data are restored"]), *planned.warnings])
    show_plan(planned.plan, output, diff=True, note=note)
