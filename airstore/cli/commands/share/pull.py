"""``airstore pull``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.remotes import make_remote_access, registry_config_option
from airstore.cli.views.output import output_option, show_fields
from airstore.ops.share.pull import PullScope, pull_store
from airstore.ops.share.remotes import find_remote
from airstore.ops.stores.directory import PUBLISHER


@click.command("pull")
@click.argument("name", default="")
@click.option(
    "--whole", is_flag=True, help="Fetch every pack now; otherwise the rest comes when a command reads it."
)
@click.option(
    "--set-aside",
    is_flag=True,
    help="Releases made here where the remote has others leave the history, kept below refs/disowned.",
)
@registry_config_option
@output_option("store-pull")
@pass_context
def command(
    context: Context, name: str, *, whole: bool, set_aside: bool, registry_config: Path | None, output: str
) -> None:
    """Import what the remote NAME has (default: the only one, or origin), verified as media are.

    A history that ends before what was seen there, or that parted from this one, is refused.
    """
    store = context.store(PUBLISHER, "pull")
    remote = find_remote(store, name)
    wanted = PullScope(whole=whole, set_aside=set_aside)
    done = pull_store(store, remote, make_remote_access(registry_config), context.progress, wanted)
    show_fields(done.summary(), output)
    for note in done.notes:
        context.say(f"note: {note}")
    for version in done.pending:
        context.say(f"release {version} is pending; look at it, then: airstore release sign {version}")
    if done.set_aside:
        context.say(
            f"set aside: {', '.join(done.set_aside)}; create them again, they continue {done.release}"
        )
