"""``airstore trust``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.views.output import output_option, show_document, show_fields, show_rows
from airstore.core.errors import NotFoundError
from airstore.trust.root.sign import parse_root


@click.group("trust", cls=Group)
def command() -> None:
    """The trust root: which keys may sign what, and how many of them must."""


@command.group("root")
def root() -> None:
    """Trust roots."""


@root.command("show")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@output_option("trust-root-summary")
@pass_context
def show(context: Context, file: Path | None, output: str) -> None:
    """Show the trust root in FILE, or the one of this store: keys, roles, thresholds, who signed it.

    Read the fingerprints to the other side by telephone before you trust a FILE.
    """
    path = file or context.store().root_file
    try:
        signed = parse_root(path.read_bytes())
    except OSError as fault:
        raise NotFoundError(f"cannot read the trust root {path}: {fault.strerror}") from fault
    shown = signed.root
    keys = [
        {
            "name": name,
            "fingerprint": key.fingerprint,
            "roles": [
                f"{role} ({members.threshold} of {len(members.keys)})"
                for role, members in shown.roles.items()
                if key in members.keys
            ],
        }
        for name, key in sorted(shown.keys.items())
    ]
    head = {
        "product": shown.product,
        "version": shown.version,
        "expires": shown.expires.isoformat() if shown.expires else "never",
        "signed_by": list(signed.signed_by),
        "signatures_missing": signed.missing,
    }
    if output != "table":
        show_document({**head, "keys": keys}, output)
        return
    show_fields(head, output)
    show_rows(keys, output, {"name": "KEY", "fingerprint": "FINGERPRINT", "roles": "ROLES"})
