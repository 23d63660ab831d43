"""``airstore push``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.remotes import make_remote_access, registry_config_option
from airstore.cli.views.output import output_option, show_fields
from airstore.ops.share.branches.sites import unshared
from airstore.ops.share.push import push_store
from airstore.ops.share.remotes import find_remote
from airstore.ops.stores.directory import PUBLISHER


@click.command("push")
@click.argument("name", default="")
@click.option("--bring-back", is_flag=True, help="Put content there again that others have dropped by gc.")
@registry_config_option
@output_option("store-push")
@pass_context
def command(
    context: Context, name: str, *, bring_back: bool, registry_config: Path | None, output: str
) -> None:
    """Share the releases of this store at the remote NAME (default: the only one, or origin).

    Packs that its registry lacks are sent first, and last its git branch moves, only if it is still where it
    was: of two that release at once one wins, and the other is told. Releases that are pending and keys of
    sites that are signed go along.
    """
    store = context.store(PUBLISHER, "push", current=True)
    remote = find_remote(store, name)
    done = push_store(
        store, remote, make_remote_access(registry_config), context.progress, bring_back=bring_back
    )
    show_fields(done.summary(), output)
    if alone := unshared(store):
        context.say(f"registered here alone: {', '.join(alone)}; to share their keys: airstore site share")
