"""``airstore trust``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.views.output import output_option, show_document, show_fields, show_rows
from airstore.core.errors import NotFoundError
from airstore.ops.stores.releases.trusted import read_root
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import parse_root


@click.group("trust", cls=Group)
def command() -> None:
    """The trust root: which keys may sign what, and how many of them must."""


@click.group("root", cls=Group)
def root() -> None:
    """Trust roots: drafted, signed by several in turn, put into force, shown and verified."""


command.add_command(root)
for _name, _function in (
    ("create", "create"),
    ("add-key", "add_key"),
    ("remove-key", "remove_key"),
    ("sign", "sign"),
    ("import", "import_"),
):
    root.add_later(_name, f"publish.rootchange:{_function}")


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
        "after": shown.after.version if shown.after else None,
        "expires": shown.expires.isoformat() if shown.expires else "never",
        "signed_by": list(signed.signed_by),
        "signatures_missing": signed.missing,
    }
    if output != "table":
        show_document({**head, "keys": keys}, output)
        return
    show_fields(head, output)
    show_rows(keys, output, {"name": "KEY", "fingerprint": "FINGERPRINT", "roles": "ROLES"})


@root.command("verify")
@click.argument("files", type=click.Path(path_type=Path, dir_okay=False), nargs=-1)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The root that they follow on.",
)
@output_option("trust-root-verification")
@pass_context
def verify(context: Context, files: tuple[Path, ...], trust: Path | None, output: str) -> None:
    """Verify that the trust roots in FILES follow the one in force: signed by the one before and themselves.

    Without FILES: all roots of the store. Nothing is changed.
    """
    chain = RootChain((read_root(trust)[1],)) if trust else context.store().trust()
    walked = chain.walked(dict(map(_offered, files)))
    rows = [
        {
            "version": each.version,
            "first_sequence": each.first_sequence,
            "expires": each.expires.isoformat() if each.expires else "never",
            "state": _state(each.version, chain.current.version),
        }
        for each in walked.roots
    ]
    columns = {"version": "VERSION", "first_sequence": "FROM SEQ", "expires": "EXPIRES", "state": "STATE"}
    show_rows(rows, output, columns)


def _offered(path: Path) -> tuple[int, bytes]:
    try:
        signed = path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read the trust root {path}: {fault.strerror}") from fault
    return parse_root(signed).root.version, signed


def _state(version: int, current: int) -> str:
    return "in force" if version == current else "follows" if version > current else "earlier"
