"""``airstore key``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.secrets import passphrase_option, read_passphrase
from airstore.cli.views.output import output_option, show_rows
from airstore.core.errors import UsageError
from airstore.ops.publish.keys import KINDS, generate_key, import_key, list_keys
from airstore.ops.stores.directory import PUBLISHER


@click.group("key", cls=Group)
def command() -> None:
    """Keys that sign releases."""


@command.command("generate")
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=click.Choice(KINDS),
    default="ed25519",
    show_default=True,
    help="ECDSA P-256 where rules or tokens ask for it.",
)
@click.option("--encrypt", is_flag=True, help="Protect the key file with a passphrase.")
@passphrase_option
@pass_context
def generate(context: Context, name: str, *, kind: str, encrypt: bool, passphrase_file: Path | None) -> None:
    """Make a key called NAME.

    With the first one comes a second key, `root`, and the trust root: NAME signs releases, `root` signs
    nothing but the next trust root. Move it off this machine: whoever steals NAME can then be locked out.
    """
    store = context.store(PUBLISHER, "key generate")
    passphrase = _new_passphrase(passphrase_file) if encrypt or passphrase_file else None
    entry, root_key = generate_key(store, name, passphrase, kind)
    context.say(f"key {entry.name}: {entry.path} (keep it secret; back it up)")
    if root_key:
        context.say(
            f"root key: {root_key} (move it off this machine, and keep two copies: it names the next keys)"
        )
        context.say(f"trust root: {store.root_file} (give it to the sites; it is not secret)")
        context.next("airstore release create --version V")
    else:
        context.say(
            f"it cannot sign releases until the trust root names it: airstore trust root add-key {name}"
        )
    context.say("its key id:")
    click.echo(entry.keyid)


@command.command("import")
@click.argument("name")
@click.argument("uri")
@pass_context
def import_(context: Context, name: str, uri: str) -> None:
    """Name a key that a key management service holds NAME; the service signs.

    URI is hv:KEY for an Ed25519 key of HashiCorp Vault's transit engine, or awskms:KEY for a P-256 key of
    AWS. Address and credentials are in the provider's own variables (VAULT_ADDR, VAULT_TOKEN; AWS_PROFILE and
    others). It needs airstore[kms-vault] or airstore[kms-aws].
    """
    store = context.store(PUBLISHER, "key import")
    entry = import_key(store, name, uri)
    context.say(f"key {entry.name}: {entry.path}.pub (its private half stays in the service)")
    if store.root_file.exists():
        context.say(f"it cannot sign until the trust root names it: airstore trust root add-key {name}")
    else:
        context.say(f"next: airstore trust root create --root-key FILE.pub --release-key {name}")
    context.say("its key id:")
    click.echo(entry.keyid)


@command.command("list")
@output_option("key-list")
@pass_context
def list_(context: Context, output: str) -> None:
    """Keys of this store."""
    rows = [
        {"name": entry.name, "keyid": entry.keyid, "roles": list(entry.roles), "file": str(entry.path)}
        for entry in list_keys(context.store())
    ]
    show_rows(rows, output, {"name": "NAME", "roles": "ROLES", "keyid": "KEY ID"}, "no keys yet")


def _new_passphrase(file: Path | None) -> bytes:
    named = file or os.environ.get("AIRSTORE_PASSPHRASE_FILE")
    if named:
        return read_passphrase(Path(named))
    if not sys.stdin.isatty():
        raise UsageError("a passphrase is needed", hint="give --passphrase-file FILE, or use a terminal")
    text: str = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return text.encode()
