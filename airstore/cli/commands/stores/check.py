"""``airstore check``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.productfile import moved_hint
from airstore.cli.text import human, printable
from airstore.cli.views.output import output_option, show_document
from airstore.core.errors import DamagedError
from airstore.ops.stores.check import Checked, check_quickly, check_store, rebuild
from airstore.ops.stores.directory import PUBLISHER, SITE, StoreDirectory


@click.command("check")
@click.option("--rebuild-index", "rebuilt", is_flag=True, help="First rebuild index.sqlite from the packs.")
@click.option("--quick", is_flag=True, help="No objects, and of the releases the newest alone.")
@output_option("problem-list")
@pass_context
def command(context: Context, *, rebuilt: bool, quick: bool, output: str) -> None:
    """Read everything again: packs, history, trust, ledger, journals, keys. Names what a fault breaks."""
    store = context.store()
    if rebuilt:
        rebuild(store)
        context.say("index rebuilt from the packs")
    checked = check_quickly(store) if quick else check_store(store, context.progress)
    _say_left(context, checked, store.side)
    _say_lost(context, store, checked.lost_product)
    _show(checked, output)
    if checked.problems:
        count = "1 fault" if len(checked.problems) == 1 else f"{len(checked.problems)} faults"
        raise DamagedError(f"{store.path}: {count} found", hint=_WAY_OUT[store.side])
    sound = "the newest release and every pack are in place; objects were not read"
    context.say(f"{store.path}: {sound if quick else 'all signatures and objects are sound'}")


_REPAIR = "run `airstore repair`; for what this store has nowhere else, with --from PLACE:"
_WAY_OUT = {
    PUBLISHER: f"{_REPAIR} media, a site's store or a registry",
    SITE: f"{_REPAIR} full media, another store of this product or the registry",
}


_SAME = {PUBLISHER: "release create", SITE: "media import"}


def _say_left(context: Context, checked: Checked, side: str) -> None:
    if checked.unused:
        what = "1 blob belongs" if len(checked.unused) == 1 else f"{len(checked.unused)} blobs belong"
        context.say(
            f"note: {what} to no release ({human(sum(checked.unused))}), as a run leaves them that ended too"
            f" early; the same `{_SAME[side]}` uses them"
        )
    if checked.unindexed:
        context.say(
            f"note: packs that the index does not know yet: {checked.unindexed}; the next run that adds packs"
            " enters them, or --rebuild-index now"
        )


def _say_lost(context: Context, store: StoreDirectory, product: Path | None) -> None:
    if product:
        context.say(
            f"note: the product file {product} is not there, and `release create` needs it:"
            f" {moved_hint(store)}"
        )


def _show(checked: Checked, output: str) -> None:
    if output != "table":
        unused = {"blobs": len(checked.unused), "bytes": sum(checked.unused), "packs": checked.unindexed}
        items = [asdict(problem) for problem in checked.problems]
        lost = str(checked.lost_product) if checked.lost_product else None
        show_document({"items": items, "unused": unused, "lostProductFile": lost}, output)
        return
    for problem in checked.problems:
        click.echo(printable(problem.fault))
        for broken in problem.breaks:
            click.echo(printable(f"  breaks {broken}"))
