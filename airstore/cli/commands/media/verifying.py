"""``airstore media verify``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.trustroot import media_root, trust_option
from airstore.cli.text import human
from airstore.cli.views.output import output_option, show_document
from airstore.core.errors import DamagedError, IncompleteError, UsageError
from airstore.media.found import find_one
from airstore.media.index import MediaIndex
from airstore.media.parity.repair import repair
from airstore.media.reader import Media
from airstore.ops.tool import carry

_MEDIA = click.Path(path_type=Path)


@click.command("verify")
@click.argument("media", type=_MEDIA, nargs=-1, required=True)
@trust_option
@click.option("--repair", "repairs", is_flag=True, help="Rebuild what is damaged or lost from parity.")
@click.option("--into", type=_MEDIA, help="With --repair: where rebuilt files go, not on MEDIA themselves.")
@output_option("media-verification")
@pass_context
def command(
    context: Context,
    media: tuple[Path, ...],
    *,
    trust: Path | None,
    repairs: bool,
    into: Path | None,
    output: str,
) -> None:
    """Read all of MEDIA and name every fault; the signature too where a trust root is at hand.

    Of media in volumes, those that are named are read, and those that are not are said. With --repair damaged
    and lost parts are rebuilt first, where the media carry parity for it.
    The trust root is the one of the store (-C), or --trust root.json.
    """
    opened = find_one(*media)
    root = media_root(context, trust, opened)
    role = root.media_role if root else None
    index = opened.trusted_index(role) if role else opened.claimed_index()
    if into and not repairs:
        raise UsageError("--into says where --repair writes", hint="add --repair")
    if repairs:
        opened = _repaired(context, opened, index, into)
    opened.check_listed(index)
    faults = opened.verify(index, context.progress)
    if faults:
        raise DamagedError("\n".join(faults), hint="copy the media again")
    if role and (tools := carry.check_all(opened.directories, role)):
        context.say(f"tool: {', '.join(each.folder for each in tools)}, signed and as listed")
    _check_complete(opened, index)
    signature = "signature holds" if role else "signature NOT checked: give --trust root.json"
    named = ", ".join(map(str, opened.directories))
    context.say(f"{named}: {len(index.files)} files, {human(index.size)}, all as listed; {signature}")
    if output != "table":
        counts = {"files": len(index.files), "total_bytes": index.size}
        state = {"release": index.release.version, "signature": "holds" if role else "not checked"}
        show_document({"media": named, **counts, **state}, output)


def _repaired(context: Context, media: Media, index: MediaIndex, into: Path | None) -> Media:
    """Repair, and say what was rebuilt; gives the media with what was."""
    done = repair(media, index, into, context.progress)
    for path in done.files:
        context.say(f"rebuilt {path}")
    if not done.files:
        context.say("nothing was damaged")
    elif into:
        context.say(f"next: name {into} first wherever these media are named")
    return Media(*([into] if into and done.files else []), *media.directories)


def _check_complete(media: Media, index: MediaIndex) -> None:
    try:
        media.check_present(index)
    except IncompleteError as fault:
        raise IncompleteError(f"what is at hand is as listed, but {fault}", hint=fault.hint) from fault
