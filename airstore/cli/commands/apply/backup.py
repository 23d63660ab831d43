"""``airstore backup``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.files.sitefile import read_site_file, site_file_option
from airstore.cli.options.reach import Reach, reach_options
from airstore.cli.text import moment
from airstore.cli.views.output import output_option, show_rows
from airstore.cli.views.plans import open_site
from airstore.core.errors import DamagedError, UsageError
from airstore.ops.apply import backups
from airstore.ops.stores.directory import SITE


@click.group("backup", cls=Group)
def command() -> None:
    """The backups that were made before upgrades: list, test and prune them."""


@command.command("list")
@output_option("backup-list")
@pass_context
def list_(context: Context, output: str) -> None:
    """Every backup: whose data, of which release, and what a rollback would restore it for; newest first."""
    store = context.store(SITE, "backup list")
    rows = [{**asdict(each), "when": moment(each.when)} for each in backups.list_backups(store)]
    columns = {
        "run": "RUN", "release": "RELEASE", "state": "DATA OF", "when": "WHEN", "size_bytes": "SIZE",
        "kept": "KEPT", "verified": "VERIFIED", "serves": "ROLLBACK TO",
    }  # fmt: skip
    shown = rows if output != "table" else [row for row in rows if row["kept"] != "pruned"]
    show_rows(shown, output, columns, "no backups")


@command.command("verify")
@click.argument("run", default="")
@reach_options
@output_option("backup-verification")
@pass_context
def verify(
    context: Context,
    *,
    run: str,
    reach: Reach,
    output: str,
) -> None:
    """Run the verifyBackup hook again on the backups of RUN, or on all: are they still good?

    It is the hook of the release that made the backup. Exit code 20 if one is not good, or gone.
    """
    with open_site(context, reach, "backup verify") as session:
        tested = backups.verify_backups(session, run)
    rows = [{**asdict(each), "fault": each.fault or "", "good": not each.fault} for each in tested]
    show_rows(rows, output, {"run": "RUN", "release": "RELEASE", "good": "GOOD"}, "no backups")
    if bad := [f"  {each.run} {each.release}: {each.fault}" for each in tested if each.fault]:
        listed = "\n".join(bad)
        raise DamagedError(
            f"these backups are not good:\n{listed}", hint="`airstore backup list` names others"
        )


@command.command("prune")
@click.option("--keep", type=click.IntRange(1), help="Keep those of so many of the newest runs.")
@click.option(
    "--states", type=click.IntRange(1), help="Go back to so many releases with data; default: to all."
)
@click.option("--dry-run", is_flag=True, help="Only print whose backups would go.")
@site_file_option
@output_option("backup-prune")
@pass_context
def prune(
    context: Context,
    *,
    keep: int | None,
    states: int | None,
    dry_run: bool,
    site_file: Path | None,
    output: str,
) -> None:
    """Delete old backups, as the site file says (`backups: {keep: 5}`) or as --keep does.

    What a rollback needs to any release that ran before, and what a run needs that has not ended, stays.
    """
    store = context.store(SITE, "backup prune")
    policy = read_site_file(context.store_path, site_file).backups
    if keep is None and "keep" not in policy:
        raise UsageError(
            "how many backups are to be kept is not said",
            hint="--keep N, or `backups: {keep: N}` in site.yaml",
        )
    many = policy["keep"] if keep is None else keep
    deep = policy.get("states") if states is None else states
    pruned = backups.prune(store, many, deep, dry_run=dry_run)
    show_rows([{"run": run} for run in pruned], output, {"run": "RUN"}, "nothing to prune")
