"""``airstore site``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.secrets import agent_socket, ask_passphrase, key_option, passphrase_option
from airstore.cli.views.output import output_option, show_rows
from airstore.ops.media.receipts import list_sites
from airstore.ops.publish.keys import load_key
from airstore.ops.share.branches.sites import (
    needs_saying,
    register_site,
    remove_site,
    share_sites,
    unshared,
)
from airstore.ops.share.remotes import load_remotes
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.trust.ssh.signing import SigningKey


@click.group("site", cls=Group)
def command() -> None:
    """Sites whose receipts this publisher accepts."""


@command.command("add")
@click.argument("name")
@click.argument("key_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--here", is_flag=True, help="Of a shared store: at this machine alone; nothing is signed.")
@key_option
@passphrase_option
@pass_context
def add(
    context: Context, name: str, key_file: Path, *, here: bool, key_name: str, passphrase_file: Path | None
) -> None:
    """Register site NAME with its public key: STORE/keys/site.pub at the site.

    Where the store is shared, the key is signed with a release key, and the next push shares it.
    """
    store = context.store(PUBLISHER, "site add")
    signer = _signer(store, key_name, passphrase_file) if _is_said(store, here=here) else None
    key = register_site(store, name, key_file, signer)
    context.say(f"site {name}: {key.fingerprint}; compare it with the site before you trust its receipts")
    context.say("next, with a receipt of it: airstore media create --to V --receipt FILE OUT")


@command.command("share")
@key_option
@passphrase_option
@pass_context
def share(context: Context, *, key_name: str, passphrase_file: Path | None) -> None:
    """Sign the keys of sites that are registered at this machine alone; the next push shares them."""
    store = context.store(PUBLISHER, "site share")
    signed = share_sites(store, _signer(store, key_name, passphrase_file)) if unshared(store) else []
    context.say(
        f"signed: {', '.join(signed)}; next: airstore push" if signed else "no site is registered here alone"
    )


@command.command("remove")
@click.argument("name")
@click.option(
    "--here",
    is_flag=True,
    help="Of a shared store: at this machine alone; what others have registered comes with the next pull.",
)
@key_option
@passphrase_option
@pass_context
def remove(context: Context, name: str, *, here: bool, key_name: str, passphrase_file: Path | None) -> None:
    """Accept no more receipts of site NAME; afterwards it can be added with another key.

    Where others were told of it, that it is gone is signed with a release key, and the next push shares it.
    """
    store = context.store(PUBLISHER, "site remove")
    said = not here and needs_saying(store, name)
    remove_site(store, name, _signer(store, key_name, passphrase_file) if said else None)
    context.say(f"receipts of site {name} are accepted no more")


@command.command("list")
@output_option("site-list")
@pass_context
def list_(context: Context, output: str) -> None:
    """Registered sites."""
    store = context.store(PUBLISHER, "site list")
    alone = set(unshared(store))
    rows = [
        {"name": name, "fingerprint": key.fingerprint, "signed": name not in alone}
        for name, key in list_sites(store)
    ]
    columns = {"name": "SITE", "fingerprint": "FINGERPRINT", "signed": "SIGNED"}
    show_rows(rows, output, columns, "no sites yet")


def _is_said(store: StoreDirectory, *, here: bool) -> bool:
    return not here and bool(load_remotes(store))


def _signer(store: StoreDirectory, name: str, passphrase_file: Path | None) -> SigningKey:
    return load_key(store, name, ask_passphrase(passphrase_file), agent_socket())
