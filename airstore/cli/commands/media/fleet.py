"""``airstore fleet``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.pages import PAGE, alone_on_stdout, write_page
from airstore.cli.options.secrets import agent_socket, ask_passphrase, key_option, passphrase_option
from airstore.cli.text import human, moment
from airstore.cli.views.output import output_option, show_rows
from airstore.core.errors import UsageError
from airstore.ops.publish.keys import load_key
from airstore.ops.review.bring import Shared, bring_up, shared_media
from airstore.ops.review.fleet import Fleet, SiteRow, fleet, keep
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.trust import envelope
from airstore.trust.statement import STATEMENT_TYPE

_FILE = click.Path(path_type=Path, dir_okay=False)
_COLUMNS = {
    "site": "SITE", "state": "STATE", "holds": "HOLDS", "behind": "BEHIND", "runs": "RUNS",
    "receipt": "RECEIPT", "lacks_bytes": "LACKS", "media": "MEDIA",
}  # fmt: skip


@click.command("fleet")
@click.argument("receipts", nargs=-1, type=_FILE)
@click.option(
    "--stale-after",
    type=click.IntRange(0, 36500),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Mark receipts that are older.",
)
@click.option("--html", type=PAGE, metavar="FILE", help="Also write a page that needs nothing but itself.")
@click.option(
    "--media",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Make the media that bring every site up, as DIR/SITE-VERSION; those that are there stay. "
    "Sites that hold the same share a directory.",
)
@click.option(
    "--together", is_flag=True, help="With --media: one delta for all sites that a delta brings up."
)
@key_option
@passphrase_option
@output_option("fleet")
@pass_context
def command(
    context: Context,
    receipts: tuple[Path, ...],
    *,
    stale_after: int,
    html: Path | None,
    media: Path | None,
    together: bool,
    key_name: str,
    passphrase_file: Path | None,
    output: str,
) -> None:
    """What each registered site holds and runs, how far behind it is, and which media would bring it up.

    RECEIPTS are verified and kept in the store, the newest of each site; the table is about those. LACKS is
    what the site's registry does not have; media are smaller. --media makes the media of all of them.
    """
    if together and not media:
        raise UsageError("--together says how --media shares", hint="add --media DIR")
    store = context.store(PUBLISHER, "fleet", current=bool(media))
    alone = alone_on_stdout(html, output)
    for site, kept in keep(store, receipts, context.now()):
        if not kept:
            context.say(f"a newer receipt of site {site} is here already")
    found = fleet(store, context.now(), stale_after)
    rows = [_row(row) for row in found.rows]
    beside = {"product": found.product, "newest": found.newest or None, "stale_after_days": stale_after}
    shown = [{**row, "receipt": _receipt(row)} for row in rows] if output == "table" else rows
    if not alone:
        empty = "no sites yet: airstore site add NAME site.pub"
        show_rows(shown, output, _COLUMNS, empty, beside=beside)
    for row in found.rows:
        if row.note:
            context.say(f"{row.site}: {row.note}")
    if html:
        write_page(context, html, _page(context, store, found, stale_after))
    if media:
        shared = shared_media(found, media, together=together)
        _bring_up(context, store, found, shared, (key_name, passphrase_file))
    elif count := sum(bool(row.media) for row in found.rows):
        what = "media for the site" if count == 1 else f"media for {count} sites"
        context.say(f"next: {_at(context, 'fleet', '--media', 'OUT')}  # {what} that lack something")


def _page(context: Context, store: StoreDirectory, found: Fleet, stale_after: int) -> bytes:
    from airstore.cli.views.pages.html import page  # noqa: PLC0415 - the table does without

    return page(
        "fleet.html",
        fleet=found,
        everything=_at(context, "fleet", "--media", "OUT"),
        commands=_commands(context, store, found),
        stale_after=stale_after,
        now=context.now(),
    )


def _bring_up(
    context: Context,
    store: StoreDirectory,
    found: Fleet,
    media: Sequence[Shared],
    key: tuple[str, Path | None],
) -> None:
    name, passphrase = key
    signer = load_key(store, name, ask_passphrase(passphrase), agent_socket())
    with store.open_blobs() as blobs:
        for each, index in bring_up(
            store,
            blobs,
            found,
            media,
            lambda data: envelope.sign(data, STATEMENT_TYPE, [signer]),
            context.progress,
        ):
            made = f"{each.kind}, {human(index.size)}" if index else "is there already, and is left as it is"
            context.say(f"{each.place}: {made}")


def _row(row: SiteRow) -> dict[str, Any]:
    return {
        "site": row.site,
        "state": row.state,
        "holds": row.holds or None,
        "behind": row.behind,
        "runs": row.runs or None,
        "runs_since": moment(row.since) if row.since is not None else None,
        "receipt": moment(row.receipt) if row.receipt is not None else None,
        "age_days": row.age,
        "stale": row.stale,
        "lacks_bytes": row.lacks,
        "media": row.media or None,
        "note": row.note or None,
    }


def _receipt(row: dict[str, Any]) -> str | None:
    if row["receipt"] is None:
        return "without a date" if row["holds"] else None
    return f"{row['receipt'][:10]}{', stale' if row['stale'] else ''}"


def _commands(context: Context, store: StoreDirectory, found: Fleet) -> list[str]:
    """What makes the media that bring each site up."""
    made = []
    for row in found.rows:
        if row.media:
            kept = row.base and row.file and context.named / row.file.relative_to(store.path)
            base = ("--receipt", str(kept)) if kept else ()
            out = f"{row.site}-{found.newest}"
            made.append(_at(context, "media", "create", "--to", found.newest, *base, out))
    return made


def _at(context: Context, *words: str) -> str:
    """A command of airstore, with the store named as it was."""
    named = ("-C", str(context.named)) if context.typed else ()
    return shlex.join(["airstore", *named, *words])
