"""``airstore trust root create``, ``add-key``, ``remove-key``, ``sign`` and ``import``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context, system_now
from airstore.cli.options.expiry import Expiry
from airstore.cli.options.gathered import gathered
from airstore.cli.options.secrets import agent_socket, ask_passphrase, passphrase_option
from airstore.cli.views.output import output_option, show_fields
from airstore.core.durable import write_file
from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.ops.publish.roots import (
    ROLES,
    PendingRoot,
    RootChange,
    accept,
    co_sign,
    discard,
    draft,
    find_public,
    has_draft,
)
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.trust.root.sign import RELEASE_ROLE, ROOT_ROLE, TrustRoot, parse_root
from airstore.trust.ssh.signing import load_signing_key

_FILE = click.Path(path_type=Path, dir_okay=False)
_role = click.option(
    "--role",
    "roles",
    type=click.Choice(ROLES),
    multiple=True,
    help="What the key may sign: may be given twice.",
)


def _said(
    root_threshold: int | None, release_threshold: int | None, expires: timedelta | datetime | str | None
) -> dict[str, Any]:
    named = {ROOT_ROLE: root_threshold, RELEASE_ROLE: release_threshold}
    thresholds = {role: count for role, count in named.items() if count}
    now = system_now()
    if isinstance(expires, timedelta):
        expires = now + expires
    if isinstance(expires, datetime) and expires <= now:
        raise UsageError(
            f"--expires {expires:%Y-%m-%d} has gone by: sites would take nothing in under such a root",
            hint="a revoked key needs no date: `airstore trust root remove-key`",
        )
    when = [] if expires is None else [expires if isinstance(expires, datetime) else None]
    return {"thresholds": thresholds, "expires": when}


# What every change of a root can say besides, for a `RootChange`.
_settings = gathered(
    "settings",
    _said,
    click.option("--root-threshold", type=click.IntRange(1, 64), help="How many root keys must sign."),
    click.option("--release-threshold", type=click.IntRange(1, 64), help="How many keys sign a release."),
    click.option(
        "--expires", type=Expiry(), help="When sites need a newer root: 2030-01-31, 365d from now, never."
    ),
)


@click.command("create")
@click.option("--root-key", "root_keys", multiple=True, metavar="KEY", help="Add a key that signs roots.")
@click.option("--release-key", "release_keys", multiple=True, metavar="KEY", help="Add one for releases.")
@click.option("--replace", is_flag=True, help="Begin again, where a draft is there already.")
@_settings
@output_option("trust-root-draft")
@pass_context
def create(
    context: Context,
    *,
    root_keys: tuple[str, ...],
    release_keys: tuple[str, ...],
    replace: bool,
    settings: Mapping[str, Any],
    output: str,
) -> None:
    """Draft the next trust root: the one in force with what the options say, or the first one.

    KEY is NAME=FILE.pub, a file, or the name of a key of this store. The draft is STORE/trust/next.json;
    `add-key` and `remove-key` go on with it, `sign` signs it.
    """
    store = context.store(PUBLISHER, "trust root create")
    if has_draft(store) and not replace:
        raise UsageError(
            f"a draft of the next trust root is there: {store.layout.root_draft}",
            hint="go on with it (add-key, remove-key, sign), or begin again with --replace",
        )
    discard(store)
    add = [(*find_public(store, text), [ROOT_ROLE]) for text in root_keys]
    add += [(*find_public(store, text), [RELEASE_ROLE]) for text in release_keys]
    change = RootChange(add=add, **settings)
    _show_draft(context, store, draft(store, change), output)


@click.command("add-key")
@click.argument("key")
@_role
@_settings
@output_option("trust-root-draft")
@pass_context
def add_key(
    context: Context,
    key: str,
    *,
    roles: tuple[str, ...],
    settings: Mapping[str, Any],
    output: str,
) -> None:
    """Add KEY to the next trust root, for --role release unless said otherwise.

    KEY is NAME=FILE.pub, a file, or the name of a key of this store.
    """
    store = context.store(PUBLISHER, "trust root add-key")
    add = [(*find_public(store, key), roles or (RELEASE_ROLE,))]
    change = RootChange(add=add, **settings)
    _show_draft(context, store, draft(store, change), output)


@click.command("remove-key")
@click.argument("name")
@_role
@_settings
@output_option("trust-root-draft")
@pass_context
def remove_key(
    context: Context,
    name: str,
    *,
    roles: tuple[str, ...],
    settings: Mapping[str, Any],
    output: str,
) -> None:
    """Revoke the key NAME in the next trust root, from every role unless --role says which.

    What it signed up to the newest release of this store stays valid; whatever comes later is refused.
    """
    store = context.store(PUBLISHER, "trust root remove-key")
    change = RootChange(remove=[(name, roles or ROLES)], **settings)
    _show_draft(context, store, draft(store, change), output)


@click.command("sign")
@click.argument("file", type=_FILE, required=False)
@click.option("--key", "key_names", multiple=True, metavar="NAME", help="Sign with this key of the store.")
@click.option("--key-file", "key_files", type=_FILE, multiple=True, help="Sign with this private key.")
@passphrase_option
@output_option("trust-root-draft")
@pass_context
def sign(
    context: Context,
    file: Path | None,
    *,
    key_names: tuple[str, ...],
    key_files: tuple[Path, ...],
    passphrase_file: Path | None,
    output: str,
) -> None:
    """Sign the draft of the next trust root, or the copy of it in FILE; needs no store then.

    A key's .pub file stands for the private half that an ssh-agent holds.

    Several holders of keys sign one after the other. Root N+1 needs enough signatures of root N's root keys
    and of its own; the store's draft comes into force with the last one, a FILE with `import`.
    """
    if not key_names and not key_files:
        raise UsageError("nothing to sign with", hint="name a key: --key-file FILE, or --key NAME")
    store = None if file and not key_names else context.store(PUBLISHER, "trust root sign")
    path = file or _draft_of(store)
    paths = [*key_files, *(store.keys / name for name in key_names if store)]
    ask = ask_passphrase(passphrase_file)
    keys = [load_signing_key(each, ask, agent_socket()) for each in paths]
    current = store.trust_root() if store and store.root_file.is_file() else None
    signed = co_sign(_read(path), keys, current)
    write_file(path, signed.envelope, mode=0o644)
    if store and not file and signed.complete:
        accept(store, [signed.envelope])
        context.say(f"trust root {signed.root.version} is in force: {store.root_file}")
        context.say("next: media made from now on carry it to the sites; or airstore trust root import there")
    show_fields(_fields(signed, None if store and not file and signed.complete else path), output)


@click.command("import")
@click.argument("files", type=_FILE, nargs=-1, required=True)
@output_option("trust-root-imported")
@pass_context
def import_(context: Context, files: tuple[Path, ...], output: str) -> None:
    """Put the trust roots in FILES into force, at a publisher or a site, as an import of media does.

    At a site this revokes keys at once, without media; releases that were signed with a revoked key after
    the one that the root names are taken out of the history.
    """
    store = context.store()
    chain, gone = accept(store, [_read(path) for path in files])
    if gone:
        context.say(
            f"warning: taken out of the history: {', '.join(gone)}; import media for what replaces them"
        )
    show_fields({"version": chain.current.version, "state": "in force", "disowned": list(gone)}, output)


def _draft_of(store: StoreDirectory | None) -> Path:
    if store is None or not has_draft(store):
        raise NotFoundError("there is no draft of a trust root", hint="make one: airstore trust root create")
    return store.layout.root_draft


def _read(path: Path) -> bytes:
    """A root's envelope, which a file has to be, whoever signed it."""
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read the trust root {path}: {fault.strerror}") from fault
    try:
        parse_root(data)
    except DamagedError as fault:
        raise DamagedError(f"{path}: {fault}", hint=fault.hint) from fault
    return data


def _show_draft(context: Context, store: StoreDirectory, root: TrustRoot, output: str) -> None:
    current = store.trust_root() if store.root_file.is_file() else None
    context.next("airstore trust root sign --key-file ROOT-KEY, by each holder of one")
    draft_file = store.layout.root_draft
    lacks = (current.roles[ROOT_ROLE].threshold if current else 0, root.roles[ROOT_ROLE].threshold)
    show_fields(_fields(PendingRoot(root, b"", lacks), draft_file), output)


def _fields(signed: PendingRoot, path: Path | None) -> Mapping[str, Any]:
    before, own = signed.lacks
    return {
        "product": signed.root.product,
        "version": signed.root.version,
        "state": "draft" if path else "in force",
        "after": signed.root.after.version if signed.root.after else None,
        "missing_of_root_before": before,
        "missing_of_its_own": own,
        "file": str(path) if path else None,
    }
