"""``airstore store``."""

from __future__ import annotations

from dataclasses import asdict

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.text import human
from airstore.cli.views.output import output_option, show_document
from airstore.ops.stores.optimize import Optimized, optimize_store


@click.group("store", cls=Group)
def command() -> None:
    """Upkeep of what the store holds."""


@command.command("optimize")
@click.option("--dry-run", is_flag=True, help="Only count what would be opened.")
@output_option("store-optimized")
@pass_context
def optimize(context: Context, *, dry_run: bool, output: str) -> None:
    """Open gzip layers that the store holds whole, so that releases cost their changes.

    A publisher then holds them opened only; a site also keeps them as its registry serves them. It may be
    stopped at any moment, and resumes where it was. Layers that cannot be opened exactly stay as they are.
    """
    done = optimize_store(context.store(), context.progress, dry_run=dry_run)
    if output != "table":
        show_document({"dry_run": dry_run, **asdict(done)}, output)
        return
    click.echo(_summary(done, dry_run=dry_run))


def _summary(done: Optimized, *, dry_run: bool) -> str:
    if dry_run:
        return f"{done.tried} blobs of {human(done.tried_bytes)} would be tried, {done.dropped} let go whole"
    kept = f", {done.tried - done.opened} stay whole" if done.tried > done.opened else ""
    change = done.before - done.after
    word = f"{human(change)} less" if change >= 0 else f"{human(-change)} more"
    return f"{done.opened} of {done.tried} blobs opened{kept}; the store has {human(done.after)}, {word}"
