"""``airstore self-update``."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import click

from airstore import __version__
from airstore.cli.context import Context, pass_context
from airstore.cli.views.output import output_option, show_fields
from airstore.core.errors import NotFoundError, UsageError
from airstore.media.ignored import TOOL
from airstore.ops.stores.releases.trusted import read_root
from airstore.ops.tool import carry
from airstore.ops.tool.update import choose, roll_back, update
from airstore.trust.role import Role

BUNDLE = "AIRSTORE_BUNDLE"  # its launcher sets it


@click.command("self-update")
@click.argument("media", type=click.Path(path_type=Path), required=False)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Check against this root.json, not the store's.",
)
@click.option("--rollback", is_flag=True, help="Back to the version that ran before the last update.")
@click.option("--dry-run", is_flag=True, help="Verify the tool on MEDIA, change nothing.")
@output_option("self-update")
@pass_context
def command(
    context: Context, media: Path | None, *, trust: Path | None, rollback: bool, dry_run: bool, output: str
) -> None:
    """Put the airstore that MEDIA carry in place of this one, once its signature and checksum hold.

    The version that runs now is kept beside it; --rollback goes back to it. Works for a bundle on a disk.
    """
    if rollback == bool(media):
        raise UsageError("name MEDIA to update from, or --rollback to go back", hint="see --help")
    running = _running()
    if media is None:
        done = roll_back(running)
    else:
        chosen = choose(carry.verified(_place(media), _role(context, trust)), platform.machine())
        done = update(running, chosen, context.say, dry_run=dry_run)
    state = "current" if done.before == done.after else "would be updated" if dry_run else "updated"
    show_fields(
        {"before": done.before, "after": done.after, "state": "rolled back" if rollback else state}, output
    )


def _running() -> Path:
    named = os.environ.get(BUNDLE)
    if not named:
        raise UsageError(
            f"airstore {__version__} was not started from a bundle, so it cannot replace itself",
            hint="update it as it was installed, such as with pipx; or see docs/install-offline.md",
        )
    return Path(named)


def _place(media: Path) -> Path:
    found = carry.find(media)
    if found is None:
        raise NotFoundError(
            f"{media} carry no tool: there is no {TOOL}/{carry.SUMS}",
            hint="the publisher adds it with `airstore media create --with-tool`",
        )
    return found


def _role(context: Context, trust: Path | None) -> Role:
    return read_root(trust)[1].release_role if trust else context.store().trust_root().release_role
