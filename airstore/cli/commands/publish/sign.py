"""``airstore release sign`` and ``discard``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.author import author_option, read_author
from airstore.cli.options.secrets import agent_socket, ask_passphrase, key_option, passphrase_option
from airstore.cli.views.output import output_option, show_fields
from airstore.core.errors import UsageError
from airstore.ops.publish.keys import load_key
from airstore.ops.publish.pending import Signing, discard_pending, sign_pending
from airstore.ops.stores.directory import PUBLISHER
from airstore.trust.ssh.signing import load_signing_key


@click.command("sign")
@click.argument("version")
@key_option
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Sign with this private key instead; a .pub file stands for what an ssh-agent holds.",
)
@author_option
@passphrase_option
@output_option("release-signed")
@pass_context
def sign(
    context: Context,
    version: str,
    *,
    key_name: str,
    key_file: Path | None,
    author: str,
    passphrase_file: Path | None,
    output: str,
) -> None:
    """Add a signature to release VERSION, which is pending; the last one that it lacks makes it a release.

    Look at it first: git -C STORE/history.git diff main pending-VERSION
    """
    store = context.store(PUBLISHER, "release sign")
    if key_name and key_file:
        raise UsageError("--key and --key-file exclude each other")
    ask = ask_passphrase(passphrase_file)
    agent = agent_socket()
    key = load_signing_key(key_file, ask, agent) if key_file else load_key(store, key_name, ask, agent)
    done = sign_pending(store, version, Signing(key, read_author(author, store), context.now()))
    if done.commit:
        context.next(f"airstore media create --to {version} OUT")
    document = {
        "version": version,
        "state": "pending" if done.lacks else "signed",
        "sequence": done.release.sequence,
        "signed_by": list(done.signed_by),
        "signatures_missing": done.lacks,
        "commit": done.commit or None,
    }
    show_fields(document, output)


@click.command("discard")
@click.argument("version")
@pass_context
def discard(context: Context, version: str) -> None:
    """Give up release VERSION, which is pending; a release that is signed by enough stays for ever."""
    discard_pending(context.store(PUBLISHER, "release discard"), version)
    context.say(f"release {version} is pending no more")
