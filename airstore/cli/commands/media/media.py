"""``airstore media``."""

from __future__ import annotations

import click

from airstore.cli.group import Group


@click.group("media", cls=Group)
def command() -> None:
    """What crosses the gap: a history bundle, packs and a signed index in one directory."""


command.add_later("create", "media.creating:command")
command.add_later("import", "media.importing:command")
command.add_later("inspect", "media.inspecting:command")
command.add_later("verify", "media.verifying:command")
command.add_later("push", "media.push:command")
command.add_later("label", "media.label:command")
