"""``airstore check``."""

from __future__ import annotations

from dataclasses import asdict

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.output import output_option, show_rows
from airstore.core.errors import DamagedError
from airstore.ops.check_store import check_store
from airstore.store.check import rebuild_index


@click.command("check")
@click.option("--rebuild-index", "rebuild", is_flag=True, help="First make index.sqlite anew from the packs.")
@output_option
@pass_context
def command(context: Context, *, rebuild: bool, output: str) -> None:
    """Read everything again: signatures, packs, every object. Names what a damaged object breaks."""
    store = context.store()
    if rebuild:
        with store.locked(), store.open_blobs() as blobs:
            rebuild_index(blobs)
        context.say("index rebuilt from the packs")
    problems = check_store(store, context.progress)
    rows = [{**asdict(problem), "breaks": list(problem.breaks)} for problem in problems]
    if rows or output != "table":
        show_rows(rows, output, {"fault": "FAULT", "breaks": "BREAKS"})
    if problems:
        count = "1 fault" if len(problems) == 1 else f"{len(problems)} faults"
        way = (
            "import the media again" if store.side == "site" else "create the release again from its sources"
        )
        raise DamagedError(f"{store.path}: {count} found", hint=way)
    context.say(f"{store.path}: all signatures and objects are sound")
