"""``airstore gc``."""

from __future__ import annotations

from functools import partial

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.text import human, printable
from airstore.cli.views.output import output_option, show_document
from airstore.core.errors import UsageError
from airstore.ops.gc.gc import GarbageCollection, collect
from airstore.ops.gc.sides import pins_of
from airstore.ops.stores.directory import SITE

_RECEIPT = (
    "airstore receipt FILE, for the publisher: media made for an older one may rest on what was dropped"
)


@click.command("gc")
@click.option(
    "--keep",
    type=click.IntRange(1),
    required=True,
    metavar="N",
    help="Keep the content of the N newest releases that are here.",
)
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
@click.option(
    "--drop-bases",
    is_flag=True,
    help="At a publisher, also drop what sites hold by their receipts: media for them get larger.",
)
@output_option("gc")
@pass_context
def command(context: Context, *, keep: int, dry_run: bool, drop_bases: bool, output: str) -> None:
    """Drop the content of old releases: images and charts that no release needs which is kept.

    Kept are the N newest; at a site also what runs, what a rollback goes back to and what a run needs that
    has not ended; at a publisher what sites hold by their receipts, and releases that are pending.

    Every commit stays, signed: `release list`, `show` and `verify` go on knowing what was dropped. Its
    content comes back by `repair --release VERSION --from PLACE`.
    """
    store = context.store()
    if drop_bases and store.side == SITE:
        raise UsageError("--drop-bases is for a publisher: a site makes no deltas")
    pins = partial(pins_of, store, context.now(), bases=not drop_bases)
    done = collect(store, keep, pins, context.progress, dry_run=dry_run)
    if output != "table":
        show_document(_document(done, dry_run=dry_run), output)
        return
    _show(context, done, store.side, dry_run=dry_run)


def _document(done: GarbageCollection, *, dry_run: bool) -> dict[str, object]:
    plan = done.plan
    return {
        "dry_run": dry_run,
        "kept": [
            {
                "version": each.version,
                "sequence": each.sequence,
                "whole": each.whole,
                "why": list(each.reasons),
            }
            for each in plan.kept
        ],
        "dropped": [
            {
                "version": each.version,
                "sequence": each.sequence,
                "blobs": each.blobs,
                "size": each.size,
            }
            for each in plan.dropped
        ],
        "collected_before": list(plan.earlier),
        "unused": {"blobs": plan.unused[0], "bytes": plan.unused[1]},
        "before_bytes": done.before,
        "freed_bytes": done.freed,
        "notes": list(plan.notes),
    }


def _show(context: Context, done: GarbageCollection, side: str, *, dry_run: bool) -> None:
    plan = done.plan
    for each in plan.kept:
        part = "" if each.whole else " (as much of it as is here)"
        click.echo(printable(f"keep {each.version}{part}: {'; '.join(each.reasons)}"))
    for going in plan.dropped:
        what = f"{going.blobs} blobs of {human(going.size)} that nothing needs which is kept"
        click.echo(printable(f"drop {going.version}: {what}"))
    if plan.unused[0]:
        click.echo(f"drop blobs that no release has: {plan.unused[0]}, {human(plan.unused[1])}")
    if dry_run:
        click.echo(f"about {human(done.freed)} of {human(done.before)} would come free")
    else:
        click.echo(f"{human(done.freed)} of {human(done.before)} came free")
    for note in plan.notes:
        context.say(f"note: {note}")
    if plan.dropped and side == SITE and not dry_run:
        context.say(f"next: {_RECEIPT}")
