"""``airstore media``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.secrets import agent_socket, ask_passphrase, key_option, passphrase_option
from airstore.cli.options.sizes import Percent, Size
from airstore.cli.options.trustroot import media_root, trust_option
from airstore.cli.text import human
from airstore.cli.views.media import described, show_summary
from airstore.cli.views.output import output_option, show_document, show_fields
from airstore.core.errors import DamagedError, IncompleteError, StorageError, UsageError
from airstore.core.image.digest import Digest
from airstore.media.delta.writer import Effort
from airstore.media.found import find_one
from airstore.media.index import MediaIndex
from airstore.media.parity.repair import repair
from airstore.media.reader import Media
from airstore.media.writer import Carriers
from airstore.ops.media.costs import NONE, costs
from airstore.ops.media.create import (
    Base,
    MediaForm,
    base_from_receipt,
    base_from_release,
    create_media,
    is_collected,
    is_current,
    plan_media,
    rehearse_media,
)
from airstore.ops.media.receipts import read_receipt
from airstore.ops.publish.keys import load_key
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.tool import carry
from airstore.trust import envelope
from airstore.trust.statement import STATEMENT_TYPE

_MEDIA = click.Path(path_type=Path)


@click.group("media", cls=Group)
def command() -> None:
    """What crosses the gap: a history bundle, packs and a signed index in one directory."""


command.add_later("import", "media.importing:command")
command.add_later("push", "media.push:command")
command.add_later("label", "media.label:command")


@command.command("create")
@click.argument("out", type=_MEDIA)
@click.option("--to", "version", required=True, help="The release a site shall hold.")
@click.option("--from", "base_version", help="Delta: the release the site holds already.")
@click.option("--receipt", type=click.Path(path_type=Path), help="Delta: the site's receipt.")
@click.option("--dry-run", is_flag=True, help="Only say what would travel; takes as long.")
@click.option(
    "--effort",
    type=click.Choice(["none", *(effort.value for effort in Effort)]),
    default=Effort.NORMAL.value,
    show_default=True,
    help="How much time a smaller delta is worth; none: new files whole, as older versions read them.",
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
def create(
    context: Context,
    out: Path,
    *,
    version: str,
    base_version: str | None,
    receipt: Path | None,
    dry_run: bool,
    effort: str,
    volume_size: int | None,
    parity: float | None,
    tools: tuple[Path, ...],
    key_name: str,
    passphrase_file: Path | None,
    output: str,
) -> None:
    """Write media for release --to into the new directory OUT.

    Full media need nothing at the site. With --from or --receipt only what the site lacks travels.
    """
    store = context.store(PUBLISHER, "media create", current=True)
    for tool in tools:
        carry.check_name(tool)
    if base_version and receipt:
        raise UsageError("--from and --receipt exclude each other", hint="the receipt is the more exact one")
    base = _base(store, base_version, receipt)
    if base and base.site and is_current(store, base, version):
        context.say(f"site {base.site} holds release {version} as a whole: there is nothing to bring")
        show_fields({"release": version, "site": base.site, "state": "nothing to bring"}, output)
        return
    with store.open_blobs() as blobs:
        plan = plan_media(store, blobs, version, base)
        if base and is_collected(store, blobs, base):
            context.say(
                f"note: the content of {base.release.version} was dropped here by `airstore gc`: layers that"
                " changed since travel whole; `airstore repair --release` brings it back"
            )
        summary: dict[str, Any] = {
            "release": version,
            "kind": "delta" if base else "full",
            "from": base.release.version if base else None,
            "site": (base.site if base else "") or None,
            "blobs": len(plan.new),
            "shared_blobs": len(plan.shared),
            "plain_bytes": plan.selection.plain_bytes,
        }
        form = MediaForm(None if effort == "none" else Effort(effort), Carriers(volume_size, parity))
        if dry_run:
            rehearsed = rehearse_media(store, blobs, plan, context.progress, form)
            show_fields({**summary, "estimated_bytes": rehearsed.size}, output)
            return
        key = load_key(store, key_name, ask_passphrase(passphrase_file), agent_socket())
        if tools:
            form = replace(form, beside=lambda directory: carry.put(directory, tools, key))
        index = create_media(
            store,
            blobs,
            plan,
            out,
            lambda data: envelope.sign(data, STATEMENT_TYPE, [key]),
            context.progress,
            form,
        )
    if index.volumes:
        context.say(
            f"next: copy each directory in {out} to a carrier of its own, then airstore media verify them"
        )
    else:
        context.say(f"next: copy {out} to the carrier, then airstore media verify it there")
    volumes = {"volumes": len(index.volumes)} if index.volumes else {}
    carried = {"tool": ", ".join(tool.name for tool in tools)} if tools else {}
    show_fields({**summary, "media_bytes": index.size, **volumes, **carried, "out": str(out)}, output)


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


def _base(store: StoreDirectory, version: str | None, receipt: Path | None) -> Base | None:
    if receipt:
        return base_from_receipt(store, read_receipt(store, receipt))
    return base_from_release(store, version) if version else None
