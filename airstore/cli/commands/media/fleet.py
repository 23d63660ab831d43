"""``airstore fleet``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.text import moment
from airstore.cli.views.output import output_option, show_rows
from airstore.core.durable import write_file
from airstore.ops.review.fleet import Fleet, SiteRow, fleet, keep
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory

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
@click.option("--html", type=_FILE, metavar="FILE", help="Also write a page that needs nothing but itself.")
@output_option("fleet")
@pass_context
def command(
    context: Context, receipts: tuple[Path, ...], *, stale_after: int, html: Path | None, output: str
) -> None:
    """What each registered site holds and runs, how far behind it is, and which media would bring it up.

    RECEIPTS are verified and kept in the store, the newest of each site; the table is about those. LACKS is
    what the site's registry does not have; media are smaller.
    """
    store = context.store(PUBLISHER, "fleet")
    for site, kept in keep(store, receipts):
        if not kept:
            context.say(f"a newer receipt of site {site} is here already")
    found = fleet(store, context.now(), stale_after)
    rows = [_row(row) for row in found.rows]
    beside = {"product": found.product, "newest": found.newest or None, "stale_after_days": stale_after}
    shown = [{**row, "receipt": _receipt(row)} for row in rows] if output == "table" else rows
    show_rows(shown, output, _COLUMNS, "no sites yet: airstore site add NAME site.pub", beside=beside)
    commands = _commands(store, found)
    for row in found.rows:
        if row.note:
            context.say(f"{row.site}: {row.note}")
    if html:
        from airstore.cli.views.pages.html import page  # noqa: PLC0415 - the table does without

        made = page("fleet.html", fleet=found, commands=commands, stale_after=stale_after, now=context.now())
        write_file(html, made, mode=0o644)
        context.say(f"wrote {html}")
    for line in commands:
        context.say(f"next: {line}")


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


def _commands(store: StoreDirectory, found: Fleet) -> list[str]:
    """What makes the media that bring every site up."""
    made = []
    for row in found.rows:
        if row.media:
            words = ["airstore", "-C", str(store.path), "media", "create", "--to", found.newest]
            words += ["--receipt", str(row.file)] if row.media.startswith("delta") else []
            made.append(shlex.join([*words, f"{row.site}-{found.newest}"]))
    return made
