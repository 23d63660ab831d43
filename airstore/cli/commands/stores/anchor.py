"""``airstore anchor``."""

from __future__ import annotations

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.text import moment, printable
from airstore.core.errors import SequenceError, UsageError
from airstore.ops.stores.directory import SITE
from airstore.ops.stores.site.anchors import anchor_faults, required_anchor, set_anchor


@click.group("anchor", cls=Group)
def command() -> None:
    """A mark outside of a site's store that says how far it has come: a restored snapshot is noticed."""


@command.command("show")
@pass_context
def show(context: Context) -> None:
    """What the anchor says, and whether this store is as new."""
    store = context.store(SITE, "anchor show")
    if not store.anchor:
        raise UsageError("this store has no anchor", hint="airstore anchor set PLACE")
    mark = required_anchor(store)
    click.echo(
        printable(
            f"{store.anchor}: sequence {mark.sequence}, {mark.entries} ledger entries, trust root"
            f" {mark.root_version}; {moment(mark.when)}"
        )
    )
    if faults := list(anchor_faults(store)):
        raise SequenceError("; ".join(faults), hint="`airstore check` says what restores it")


@command.command("set")
@click.argument("place")
@pass_context
def set_(context: Context, place: str) -> None:
    """Keep the anchor at PLACE: file:///PATH, outside of the store, or configmap:NAMESPACE/NAME."""
    store = context.store(SITE, "anchor set")
    with store.locked():
        set_anchor(store, place, context.now())
    context.say(f"the anchor of site {store.name} is {place}")


@command.command("remove")
@pass_context
def remove(context: Context) -> None:
    """Go on without an anchor; what is at its place stays."""
    store = context.store(SITE, "anchor remove")
    with store.locked():
        set_anchor(store, "", context.now())
    context.say("a restored snapshot of this store will not be noticed any more")
