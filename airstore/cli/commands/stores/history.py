"""``airstore history``."""

from __future__ import annotations

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.text import moment
from airstore.cli.views.output import output_option, show_rows
from airstore.history import ledger
from airstore.ops.stores.directory import SITE

_FOR_CHECK = {ledger.SEAL, ledger.KEPT}  # of details: digests that nobody reads


@click.command("history")
@output_option("ledger-entry-list")
@pass_context
def command(context: Context, output: str) -> None:
    """The ledger of this site: what was done, when, with what result; newest first."""
    store = context.store(SITE, "history")
    rows = [
        {
            "when": moment(entry.when),
            "action": entry.action,
            "release": entry.version,
            "result": entry.result,
            "details": ", ".join(
                f"{key} {value}" for key, value in sorted(entry.details.items()) if key not in _FOR_CHECK
            ),
        }
        for entry in ledger.entries(store.history)
    ]
    columns = {
        "when": "WHEN", "action": "ACTION", "release": "RELEASE", "result": "RESULT", "details": "DETAILS",
    }  # fmt: skip
    show_rows(rows, output, columns, "nothing yet; `airstore log` lists the imported releases")
