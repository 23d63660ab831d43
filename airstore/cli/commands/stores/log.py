"""``airstore log``."""

from __future__ import annotations

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.text import moment
from airstore.cli.views.output import output_option, show_rows
from airstore.ops.stores.releases.summaries import summaries


@click.command("log")
@output_option("release-log")
@pass_context
def command(context: Context, output: str) -> None:
    """The audit log, newest first: which release, made when and by whom, signed by which key.

    Every signature is verified, once: `release verify` and `check` verify them again.

    Stock git shows the same: git -C STORE/history.git log --show-signature --stat
    """
    store = context.store()
    trust = store.trust()
    rows = [
        {
            "version": each.link.version,
            "sequence": each.sequence,
            "when": moment(each.made.when),
            "author": each.made.author,
            "signer": trust.name_of(each.made.signer),
            "commit": each.link.commit,
            "digest": str(each.digest),
        }
        for each in reversed(summaries(store))
    ]
    columns = {"version": "VERSION", "sequence": "SEQ", "when": "WHEN", "author": "AUTHOR",
               "signer": "SIGNED BY", "commit": "COMMIT"}  # fmt: skip
    show_rows(rows, output, columns, "no releases yet")
