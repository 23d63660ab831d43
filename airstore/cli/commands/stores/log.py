"""``airstore log``."""

from __future__ import annotations

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.text import moment
from airstore.cli.views.output import output_option, show_rows
from airstore.ops.stores.trusted import all_releases


@click.command("log")
@output_option
@pass_context
def command(context: Context, output: str) -> None:
    """The audit log, newest first: which release, made when and by whom, signed by which key.

    Stock git shows the same: git -C STORE/history.git log --show-signature --stat
    """
    store = context.store()
    root, history = store.trust_root(), store.history
    names = {key.keyid: root.name_of(key) for key in root.release_role.keys}
    rows = []
    for link in reversed(all_releases(store)):
        about = history.commit(link.commit)
        rows.append(
            {
                "version": link.release.version,
                "sequence": link.release.sequence,
                "when": moment(about.when),
                "author": about.author,
                "signer": names[link.signer],
                "commit": link.commit,
                "digest": str(link.digest),
            }
        )
    columns = {"version": "VERSION", "sequence": "SEQ", "when": "WHEN", "author": "AUTHOR",
               "signer": "SIGNED BY", "commit": "COMMIT"}  # fmt: skip
    show_rows(rows, output, columns, "no releases yet")
