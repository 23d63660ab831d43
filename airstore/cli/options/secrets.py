"""Passphrases and key loading: asked for on a terminal, or read from a file; never taken from arguments."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from airstore.core.errors import NotFoundError, UsageError

key_option = click.option("--key", "key_name", default="", help="Sign with this key; default: the only one.")
passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read the key's passphrase from the first line of this file (or AIRSTORE_PASSPHRASE_FILE).",
)


def ask_passphrase(file: Path | None) -> Callable[[], bytes]:
    """Something that finds the passphrase of an encrypted key once it turns out to be needed."""

    def ask() -> bytes:
        named = file or os.environ.get("AIRSTORE_PASSPHRASE_FILE")
        if named:
            return read_passphrase(Path(named))
        if not sys.stdin.isatty():
            raise UsageError("the key is encrypted", hint="give --passphrase-file FILE, or use a terminal")
        typed: str = click.prompt("Passphrase of the key", hide_input=True, err=True)
        return typed.encode()

    return ask


def agent_socket() -> Path | None:
    """The ssh-agent that signs with keys whose private file is not at hand."""
    named = os.environ.get("SSH_AUTH_SOCK")
    return Path(named) if named else None


def read_passphrase(file: Path, what: str = "passphrase") -> bytes:
    """First line of a file; ``what`` is in it, for messages.

    Raises:
        NotFoundError: it cannot be read.
        UsageError: it is empty.
    """
    try:
        line = file.read_bytes().splitlines()[:1]
    except OSError as fault:
        raise NotFoundError(f"cannot read the {what} file {file}: {fault.strerror}") from fault
    if not line or not line[0]:
        raise UsageError(f"the {what} file {file} is empty")
    return line[0]


def read_password(file: Path) -> str:
    """As `read_passphrase`, as text.

    Raises:
        UsageError: it is not UTF-8.
    """
    try:
        return read_passphrase(file, "password").decode()
    except UnicodeDecodeError as fault:
        raise UsageError(f"the password file {file} is not UTF-8") from fault
