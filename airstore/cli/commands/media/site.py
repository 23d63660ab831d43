"""``airstore site``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.views.output import output_option, show_rows
from airstore.ops.media.receipts import add_site, list_sites
from airstore.ops.stores.directory import PUBLISHER


@click.group("site", cls=Group)
def command() -> None:
    """Sites whose receipts this publisher accepts."""


@command.command("add")
@click.argument("name")
@click.argument("key_file", type=click.Path(path_type=Path, dir_okay=False))
@pass_context
def add(context: Context, name: str, key_file: Path) -> None:
    """Register site NAME with its public key: STORE/keys/site.pub at the site."""
    key = add_site(context.store(PUBLISHER, "site add"), name, key_file)
    context.say(f"site {name}: {key.fingerprint}; compare it with the site before you trust its receipts")
    context.say("next, with a receipt of it: airstore media create --to V --receipt FILE OUT")


@command.command("list")
@output_option("site-list")
@pass_context
def list_(context: Context, output: str) -> None:
    """Registered sites."""
    sites = list_sites(context.store(PUBLISHER, "site list"))
    rows = [{"name": name, "fingerprint": key.fingerprint} for name, key in sites]
    show_rows(rows, output, {"name": "SITE", "fingerprint": "FINGERPRINT"}, "no sites yet")
