"""``airstore remote``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.remotes import place_options
from airstore.cli.views.output import output_option, show_rows
from airstore.ops.share.remotes import Remote, add_remote, load_remotes, remove_remote
from airstore.ops.stores.directory import PUBLISHER


@click.group("remote", cls=Group)
def command() -> None:
    """Where a publisher's store is shared: a git server for the history, a registry for the packs."""


@command.command("add")
@click.argument("name")
@place_options
@pass_context
def add(
    context: Context, name: str, *, git_url: str, objects: str, plain_http: bool, ca: Path | None
) -> None:
    """Note where the store is shared; nothing is sent yet.

    The git repository must exist, and may be empty; it is for this history alone. The registry's repository
    is made by the first push. URLs carry no passwords: git asks its credential helper, and the registry's
    come from docker's config.json.
    """
    store = context.store(PUBLISHER, "remote add")
    add_remote(store, Remote(name, git_url, objects, plain_http, ca.absolute() if ca else None))
    context.next(f"airstore push {name}, or airstore pull {name} where others have pushed")


@command.command("list")
@output_option("remote-list")
@pass_context
def list_(context: Context, output: str) -> None:
    """The remotes of this store."""
    remotes = load_remotes(context.store(PUBLISHER, "remote list"))
    rows = [
        {"name": name, "git": each.git, "objects": each.objects} for name, each in sorted(remotes.items())
    ]
    show_rows(rows, output, {"name": "REMOTE", "git": "GIT", "objects": "OBJECTS"}, "no remotes yet")


@command.command("remove")
@click.argument("name")
@pass_context
def remove(context: Context, name: str) -> None:
    """Forget a remote; what it holds stays there."""
    remove_remote(context.store(PUBLISHER, "remote remove"), name)
