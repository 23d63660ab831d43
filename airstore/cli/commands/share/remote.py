"""``airstore remote``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.remotes import make_remote_access, place_options, registry_config_option
from airstore.cli.views.output import output_option, show_fields, show_rows
from airstore.ops.share.remotes import Remote, add_remote, find_remote, load_remotes, remove_remote
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


@command.command("prune")
@click.argument("name", default="")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@registry_config_option
@output_option("remote-prune")
@pass_context
def prune(context: Context, name: str, *, dry_run: bool, registry_config: Path | None, output: str) -> None:
    """Delete from the registry of remote NAME the lists of packs that newer ones have replaced.

    A registry keeps a pack for as long as any list names it: after `airstore gc` and a push, this lets go of
    what was dropped. The registry has to allow it: REGISTRY_STORAGE_DELETE_ENABLED=true. Whoever clones or
    pulls at that moment may have to do it again.
    """
    from airstore.ops.share.prune import prune_remote  # noqa: PLC0415 - the others need no HTTP client

    store = context.store(PUBLISHER, "remote prune")
    remote, access = find_remote(store, name), make_remote_access(registry_config)
    done = prune_remote(store, remote, access, context.progress, dry_run=dry_run)
    show_fields(done.summary(), output)
    if done.deleted:
        context.say(
            "next: the registry's own garbage collection frees the space: while nobody pushes, run "
            "`registry garbage-collect CONFIG` on it, and restart it"
        )


@command.command("remove")
@click.argument("name")
@pass_context
def remove(context: Context, name: str) -> None:
    """Forget a remote; what it holds stays there."""
    remove_remote(context.store(PUBLISHER, "remote remove"), name)
