"""``airstore registry gc``."""

from __future__ import annotations

from functools import partial

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.confirm import confirm
from airstore.cli.options.registries import login_access
from airstore.cli.text import printable
from airstore.cli.views.output import output_option, show_document
from airstore.ops.gc.registry import RegistryCollection, delete, plan_removal
from airstore.ops.gc.sides import pins_of
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.push import parse_target

_NEXT = (
    "the registry's own garbage collection frees the space: while nobody pushes, run"
    " `registry garbage-collect CONFIG` on it, and restart it"
)


@click.command("gc")
@click.argument("url")
@click.option(
    "--keep",
    type=click.IntRange(1),
    required=True,
    metavar="N",
    help="Keep the N newest releases that are here.",
)
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
@click.option("--yes", is_flag=True, help="Answer yes to what would be asked.")
@login_access
@output_option("registry-gc")
@pass_context
def command(
    context: Context,
    url: str,
    *,
    keep: int,
    dry_run: bool,
    yes: bool,
    access: RegistryOptions,
    output: str,
) -> None:
    """Delete from the registry at URL the tags and manifests of releases that are not kept.

    What is kept is decided as `airstore gc` does; the content of the store is not touched. The registry has
    to allow it: REGISTRY_STORAGE_DELETE_ENABLED=true. Layers go when its own garbage collection runs.

    A manifest goes for all who pull it from there: asks first.
    """
    store = context.store()
    client, name = parse_target(url, access)
    with client:
        plan = plan_removal(store, client, keep, partial(pins_of, store, context.now()))
        gone = 0
        if plan.count and not dry_run:
            confirm(context, _loss(plan, name), yes=yes)
            gone = delete(client, plan, context.progress)
    _show(plan, name, gone, output, dry_run=dry_run)
    if gone:
        context.say(f"next: {_NEXT}")


def _loss(plan: RegistryCollection, name: str) -> str:
    return (
        f"{len(plan.found.manifests)} manifests and {len(plan.found.tags)} tags are deleted from {name}, of"
        f" {', '.join(plan.dropped)}; whoever else pulls them there loses them"
    )


def _show(plan: RegistryCollection, name: str, gone: int, output: str, *, dry_run: bool) -> None:
    manifests = [f"{repository}@{digest}" for repository, digest in plan.found.manifests]
    tags = [f"{repository}:{tag}" for repository, tag in plan.found.tags]
    if output != "table":
        kept = [
            {"version": each.version, "sequence": each.sequence, "why": list(each.reasons)}
            for each in plan.kept
        ]
        found = {"manifests": manifests, "tags": tags, "deleted": gone}
        dropped = list(plan.dropped)
        show_document(
            {"dry_run": dry_run, "registry": name, "kept": kept, "dropped": dropped, **found}, output
        )
        return
    for each in plan.kept:
        click.echo(printable(f"keep {each.version}: {'; '.join(each.reasons)}"))
    for what in (*tags, *manifests):
        click.echo(printable(f"delete {what}"))
    would = "would be deleted" if dry_run else "deleted"
    click.echo(f"{len(manifests) + len(tags) if dry_run else gone} manifests and tags of {name} {would}")
