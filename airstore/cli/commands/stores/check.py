"""``airstore check``."""

from __future__ import annotations

from dataclasses import asdict

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.text import printable
from airstore.cli.views.output import output_option, show_document
from airstore.core.errors import DamagedError
from airstore.ops.stores.check import Problem, check_store, rebuild
from airstore.ops.stores.directory import PUBLISHER, SITE


@click.command("check")
@click.option("--rebuild-index", "rebuilt", is_flag=True, help="First rebuild index.sqlite from the packs.")
@output_option("problem-list")
@pass_context
def command(context: Context, *, rebuilt: bool, output: str) -> None:
    """Read everything again: signatures, packs, every object. Names what a damaged object breaks."""
    store = context.store()
    if rebuilt:
        rebuild(store)
        context.say("index rebuilt from the packs")
    problems = check_store(store, context.progress)
    _show(problems, output)
    if problems:
        count = "1 fault" if len(problems) == 1 else f"{len(problems)} faults"
        raise DamagedError(f"{store.path}: {count} found", hint=_WAY_OUT[store.side])
    context.say(f"{store.path}: all signatures and objects are sound")


_WAY_OUT = {
    PUBLISHER: "create the newest release again from its sources: what is damaged is then rewritten",
    SITE: "import full media for the newest release: what is damaged is then rewritten",
}


def _show(problems: list[Problem], output: str) -> None:
    if output != "table":
        show_document({"items": [asdict(problem) for problem in problems]}, output)
        return
    for problem in problems:
        click.echo(printable(problem.fault))
        for broken in problem.breaks:
            click.echo(printable(f"  breaks {broken}"))
