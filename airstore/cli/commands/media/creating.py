"""``airstore media create``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.mediabase import base_options
from airstore.cli.options.secrets import agent_socket, ask_passphrase, key_option, passphrase_option
from airstore.cli.options.sizes import Percent, Size
from airstore.cli.views.mediamaking import (
    as_shown,
    media_bases,
    nothing_to_bring,
    plan_said,
    written,
)
from airstore.cli.views.output import output_option, show_fields
from airstore.media.delta.effort import Effort
from airstore.media.writer import Carriers
from airstore.ops.media.create import MediaForm, rehearse_media
from airstore.ops.publish.keys import load_key
from airstore.ops.stores.directory import PUBLISHER
from airstore.ops.tool import carry


@click.command("create")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", "version", required=True, help="The release a site shall hold.")
@base_options(
    "Delta: the release the site holds already. May be repeated: one delta for sites on several.",
    "Delta: the site's receipt. May be repeated: one delta for several sites.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would travel; takes as long.")
@click.option(
    "--effort",
    type=click.Choice(["none", *(effort.value for effort in Effort)]),
    default=Effort.NORMAL.value,
    show_default=True,
    help="How much time smaller media are worth; fast: sites copy layers that are new to them, and do not"
    " compress them again; none: new files whole, as older versions read them.",
)
@click.option(
    "--memory",
    type=Size(),
    default="2G",
    show_default=True,
    help="What making a delta may take at most, all workers together.",
)
@click.option(
    "--volume-size",
    type=Size(),
    help="Cut what is larger into a directory for each carrier: 4G for FAT32, 4.7GB for a DVD.",
)
@click.option(
    "--parity",
    type=Percent(),
    metavar="PERCENT",
    help="Carry as much more, from which that much is rebuilt where it is damaged or lost: 10%.",
)
@click.option(
    "--with-tool",
    "tools",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="ARCHIVE",
    help="Carry airstore itself, signed: a .tar.gz that airstore bundle made. May be repeated.",
)
@key_option
@passphrase_option
@output_option("media-created")
@pass_context
def command(
    context: Context,
    out: Path,
    *,
    version: str,
    base_versions: tuple[str, ...],
    receipts: tuple[Path, ...],
    dry_run: bool,
    effort: str,
    memory: int,
    volume_size: int | None,
    parity: float | None,
    tools: tuple[Path, ...],
    key_name: str,
    passphrase_file: Path | None,
    output: str,
) -> None:
    """Write media for release --to into the new directory OUT.

    Full media need nothing at the site. With --from or --receipt only what the site lacks travels; with
    several of them what any of the sites lacks, once, and what each lacks is said before.
    """
    store = context.store(PUBLISHER, "media create", current=True)
    for tool in tools:
        carry.check_name(tool)
    bases = media_bases(context, store, version, base_versions, receipts)
    if bases is None:
        show_fields(nothing_to_bring(store, version, receipts), output)
        return
    chosen = None if effort == "none" else Effort(effort)
    with store.open_blobs() as blobs:
        plan, summary = plan_said(context, store, blobs, version, bases, chosen)
        form = MediaForm(chosen, Carriers(volume_size, parity), memory)
        if dry_run:
            rehearsed = rehearse_media(store, blobs, plan, context.progress, form)
            show_fields(as_shown({**summary, "estimated_bytes": rehearsed.size}, output), output)
            return
        key = load_key(store, key_name, ask_passphrase(passphrase_file), agent_socket())
        if tools:
            form = replace(form, beside=lambda directory: carry.put(directory, tools, key))
        made = written(context, store, blobs, plan, out, key, form)
    carried = {"tool": ", ".join(tool.name for tool in tools)} if tools else {}
    show_fields(as_shown({**summary, **made, **carried}, output), output)
