"""``airstore apply``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.confirm import Losses, confirm, loss_options
from airstore.cli.options.files.sitefile import read_site_file
from airstore.cli.options.imagechecks import ImageWishes, image_options
from airstore.cli.options.reach import Reach, reach_options
from airstore.cli.options.registries import registry_access
from airstore.cli.text import human
from airstore.cli.views.output import output_option
from airstore.cli.views.plans import open_site, show_outcome, show_plan
from airstore.core.model.release import Release
from airstore.ops.apply.apply import Apply
from airstore.ops.apply.give_up import abandoned as find_abandoned
from airstore.ops.apply.give_up import given_up
from airstore.ops.apply.push import RegistryPush
from airstore.ops.apply.session.session import ApplySession
from airstore.ops.apply.status import drifted
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import SITE


@click.command("apply")
@click.option("--release", "version", default="", help="The release to apply; default: the newest.")
@click.option("--dry-run", is_flag=True, help="Check the prerequisites and print the plan, change nothing.")
@click.option("--diff/--no-diff", default=True, help="With --dry-run: show the difference of the manifests.")
@image_options
@click.option(
    "--repair", is_flag=True, help="First put back what drifted, or what Helm lost, as it was installed."
)
@click.option(
    "--adopt", is_flag=True, help="Take over Helm releases that somebody else installed, data included."
)
@loss_options
@reach_options
@registry_access
@output_option("run-outcome", "site-plan")
@pass_context
def command(
    context: Context,
    *,
    version: str,
    dry_run: bool,
    diff: bool,
    images: ImageWishes,
    repair: bool,
    adopt: bool,
    losses: Losses,
    reach: Reach,
    access: RegistryOptions,
    output: str,
) -> None:
    """Bring the cluster to a release: all Helm releases, or back to where they were.

    A run that was killed is taken up again. Exit codes: 50 it failed and what ran before runs again;
    51 the rollback failed too, and somebody has to look.
    """
    push = images.pushes(read_site_file(context.store_path, reach.site_file))
    # What a registry lacks will have been pushed.
    checks = images.checks(access, pushed=push and dry_run)
    store = context.store(SITE, "apply", current=True)
    keys, left = given_up(store, losses.skipped, version), find_abandoned(store, losses.abandoned)
    if (keys or left) and not dry_run:
        confirm(context, "\n".join(_losses(keys, left)), yes=losses.yes)
    with open_site(context, reach, "apply") as session:
        wanted = Apply(session, checks, version, keys, left, adopt=adopt)
        pushing = RegistryPush(session, access) if push else None
        if dry_run:
            planned = wanted.plan()
            note = _lacking(pushing, session.release(version)) if pushing and output == "table" else ""
            show_plan(planned, output, diff=diff, note=note)
            _say_drift(session)
            return
        outcome = wanted.run(pushing, repair=repair)
        show_outcome(outcome, output)
        _say_drift(session)
        if outcome.run and outcome.confirmed:
            context.next("airstore status; airstore receipt FILE, for the publisher's next delta")


def _lacking(pushing: RegistryPush, release: Release) -> str:
    """What a push would send, for people."""
    name, planned = pushing.plan(release)
    return f"registry: {name}; to upload: {planned.upload_blobs} blobs, {human(planned.upload_bytes)}"


def _say_drift(session: ApplySession) -> None:
    """An apply leaves what it has no reason to touch; that it is not as installed must not be hidden."""
    lines = drifted(session)
    for line in lines:
        session.say(f"drifted: {line}")
    if lines:
        session.say("next: `airstore apply --repair` puts it back as it was installed")


def _losses(unsaved: Iterable[str], left: Iterable[str]) -> Iterator[str]:
    for key in sorted(unsaved):
        yield (
            f"{key} is not backed up: if this run fails, the data of {key} stay as the failed upgrade left "
            "them, and no later rollback can restore those of now"
        )
    for key in sorted(left):
        yield (
            f"{key} cannot go back: if this run fails, {key} is stopped and stays so, and whatever needs it "
            "may not run either; its data are restored like those of the others"
        )
