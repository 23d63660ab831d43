"""``airstore release notes``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.views.pages.notes import notes_markdown
from airstore.core.durable import write_file
from airstore.core.errors import UsageError
from airstore.ops.review.notes import notes
from airstore.ops.review.sides import before


@click.command("notes")
@click.argument("versions", nargs=-1, required=True, metavar="[OLD] NEW")
@click.option(
    "--md",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write them to a new file instead.",
)
@pass_context
def command(context: Context, versions: tuple[str, ...], *, file: Path | None) -> None:
    """Print release notes of NEW as Markdown, to edit.

    Without OLD: since the release before NEW. They come from versions, images and what charts say of
    themselves in the annotation artifacthub.io/changes.
    """
    if len(versions) > 2:
        raise UsageError("release notes are about two releases at most")
    store = context.store()
    old, new = versions if len(versions) == 2 else (before(store, versions[0]), versions[0])
    found = notes(store, old, new)
    for fault in (fault for chart in found.charts for fault in chart.faults):
        context.say(f"warning: {fault}")
    made = notes_markdown(found)
    if file is None:
        click.echo(made.decode(), nl=False)
        return
    if file.exists():  # somebody may have edited it
        raise UsageError(f"{file} is there already", hint="name a new file, or print to standard output")
    write_file(file, made, mode=0o644)
    context.say(f"wrote {file}")
