"""``--author``: who a commit is by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from airstore.core.errors import UsageError
from airstore.history.git.names import check_person

if TYPE_CHECKING:
    from airstore.ops.stores.directory import StoreDirectory

author_option = click.option("--author", default="", metavar="'NAME <MAIL>'", help="Author of the commit.")


def read_author(text: str, store: StoreDirectory) -> tuple[str, str]:
    """Name and mail address; the publisher's where none is given.

    Raises:
        UsageError: not of that form.
    """
    if not text:
        return f"{store.name} publisher", f"publisher@{store.name}.invalid"
    name, bracket, rest = text.partition("<")
    mail = rest.rstrip().removesuffix(">")
    if not bracket:
        raise UsageError(f"--author {text!r}: write 'NAME <MAIL>'")
    check_person(name.strip(), mail)
    return name.strip(), mail
