"""``airstore media``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.files.trustroot import media_root, trust_option
from airstore.cli.text import human
from airstore.cli.views.media import described, show_summary
from airstore.cli.views.output import output_option, show_document, show_fields
from airstore.core.errors import DamagedError, IncompleteError, StorageError, UsageError
from airstore.core.image.digest import Digest
from airstore.media.found import find_one
from airstore.media.index import MediaIndex
from airstore.media.parity.repair import repair
from airstore.media.reader import Media
from airstore.ops.media.costs import NONE, costs
from airstore.ops.tool import carry

_MEDIA = click.Path(path_type=Path)


@click.group("media", cls=Group)
def command() -> None:
    """What crosses the gap: a history bundle, packs and a signed index in one directory."""


command.add_later("create", "media.creating:command")
command.add_later("import", "media.importing:command")
command.add_later("push", "media.push:command")
command.add_later("label", "media.label:command")


@command.command("inspect")
@click.argument("media", type=_MEDIA, nargs=-1, required=True)
@output_option("media-summary")
@pass_context
def inspect(context: Context, media: tuple[Path, ...], output: str) -> None:
    """What MEDIA claim to carry; signatures are not checked here. One volume of several will do."""
    opened = find_one(*media)
    index = opened.claimed_index()
    context.say("claimed, not verified: see `airstore media verify`")
    digest = {"index_digest": str(Digest.of(opened.envelope))}
    document = {**described(index), **digest, **_costs(context, opened, index)}
    if output == "table":
        show_summary(document)
        return
    show_fields(document, output)


@command.command("verify")
@click.argument("media", type=_MEDIA, nargs=-1, required=True)
@trust_option
@click.option("--repair", "repairs", is_flag=True, help="Rebuild what is damaged or lost from parity.")
@click.option("--into", type=_MEDIA, help="With --repair: where rebuilt files go, not on MEDIA themselves.")
@output_option("media-verification")
@pass_context
def verify(
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


def _costs(context: Context, media: Media, index: MediaIndex) -> dict[str, Any]:
    try:
        found = costs(media, index)
    except (DamagedError, IncompleteError, StorageError) as fault:
        context.say(f"what made these media large cannot be read: {fault}")
        found = NONE
    return {"images": found["images"], "largest": found["files"]}
