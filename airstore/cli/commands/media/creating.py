"""``airstore media create``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.secrets import agent_socket, ask_passphrase, key_option, passphrase_option
from airstore.cli.options.sizes import Percent, Size
from airstore.cli.text import human
from airstore.cli.views.output import output_option, show_fields
from airstore.media.delta.effort import Effort
from airstore.media.writer import Carriers
from airstore.ops.media.bases import Base, base_from_receipt, base_from_release, is_collected, is_current
from airstore.ops.media.create import MediaForm, create_media, rehearse_media
from airstore.ops.media.opening import open_layers
from airstore.ops.media.plan import Lack, lacks, plan_media
from airstore.ops.media.receipts import read_receipt
from airstore.ops.publish.keys import load_key
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.tool import carry
from airstore.store.blobs import BlobStore
from airstore.trust import envelope
from airstore.trust.statement import STATEMENT_TYPE


@click.command("create")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", "version", required=True, help="The release a site shall hold.")
@click.option(
    "--from",
    "base_versions",
    multiple=True,
    metavar="V",
    help="Delta: the release the site holds already. May be repeated: one delta for sites on several.",
)
@click.option(
    "--receipt",
    "receipts",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Delta: the site's receipt. May be repeated: one delta for several sites.",
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
    bases = _bases(context, store, version, base_versions, receipts)
    if bases is None:
        sites = ", ".join(sorted(_named(store, receipts)))
        show_fields({"release": version, "site": sites, "state": "nothing to bring"}, output)
        return
    chosen = None if effort == "none" else Effort(effort)
    with store.open_blobs() as blobs:
        if bases or chosen is not Effort.FAST:  # full media of that effort carry layers as they are
            _open(context, store, blobs, version, bases)
        plan = plan_media(store, blobs, version, *bases)
        _say_collected(context, [base for base in bases if is_collected(store, blobs, base)])
        summary: dict[str, Any] = {
            "release": version,
            "kind": "delta" if bases else "full",
            "from": plan.starts_from,
            "site": ", ".join(plan.sites) or None,
            "blobs": len(plan.new),
            "shared_blobs": len(plan.shared),
            "plain_bytes": plan.selection.plain_bytes,
            **_shares(context, lacks(store, blobs, plan) if len(bases) > 1 else []),
        }
        form = MediaForm(chosen, Carriers(volume_size, parity), memory)
        if dry_run:
            rehearsed = rehearse_media(store, blobs, plan, context.progress, form)
            _show({**summary, "estimated_bytes": rehearsed.size}, output)
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
    _show({**summary, "media_bytes": index.size, **volumes, **carried, "out": str(out)}, output)


def _open(context: Context, store: StoreDirectory, blobs: BlobStore, version: str, bases: list[Base]) -> None:
    if opened := open_layers(store, blobs, version, *bases, progress=context.progress):
        context.say(
            f"{opened} blobs were held whole, and are opened now; `airstore store optimize` lets go of the"
            " whole ones"
        )


def _say_collected(context: Context, bases: list[Base]) -> None:
    for version in dict.fromkeys(base.release.version for base in bases):
        context.say(
            f"note: the content of {version} was dropped here by `airstore gc`: layers that changed since"
            " travel whole; `airstore repair --release` brings it back"
        )


def _show(document: dict[str, Any], output: str) -> None:
    if output == "table":  # what each site lacks was said before
        document.pop("shares", None)
    show_fields(document, output)


def _bases(
    context: Context, store: StoreDirectory, to: str, versions: tuple[str, ...], receipts: tuple[Path, ...]
) -> list[Base] | None:
    """What media start from, none for full ones; None itself if the sites hold the release already."""
    bases = [base_from_release(store, version) for version in dict.fromkeys(versions)]
    read = [read_receipt(store, receipt) for receipt in receipts]
    held = [base_from_receipt(store, receipt) for receipt in read]
    empty = [receipt.site for receipt, base in zip(read, held, strict=True) if base is None]
    current = [base for base in held if base and is_current(store, base, to)]
    for base in current:
        context.say(f"site {base.site} holds release {to} as a whole: there is nothing to bring")
    if empty:
        context.say(f"site {', '.join(empty)} holds nothing yet: the media are full, and serve every site")
        return []
    bases += [base for base in held if base and base not in current]
    return bases if bases or not current else None


def _named(store: StoreDirectory, receipts: tuple[Path, ...]) -> set[str]:
    return {read_receipt(store, receipt).site for receipt in receipts}


def _shares(context: Context, found: list[Lack]) -> dict[str, Any]:
    """Say what each of several bases lacks; the same as rows."""
    rows = [
        {
            "site": lack.base.site or None,
            "from": lack.base.release.version,
            "blobs": lack.blobs,
            "plain_bytes": lack.plain_bytes,
        }
        for lack in found
    ]
    for row in rows:
        who = f"site {row['site']}, on {row['from']}" if row["site"] else f"sites on {row['from']}"
        size = human(int(row["plain_bytes"] or 0))
        context.say(f"{who}: lacks {row['blobs']} blobs, {size} before compression")
    return {"shares": rows} if rows else {}
