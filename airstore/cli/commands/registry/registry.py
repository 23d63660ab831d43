"""``airstore registry``."""

from __future__ import annotations

import click

from airstore.cli.group import Group


@click.group("registry", cls=Group)
def command() -> None:
    """Serve or push what the store holds; digests are upstream's."""


command.add_later("bootstrap", "registry.bootstrap:command")
command.add_later("export-access", "registry.bootstrap:export")
command.add_later("gc", "registry.gc:command")
command.add_later("mirror-config", "registry.mirrors:command")
command.add_later("push", "registry.pushing:command")
command.add_later("serve", "registry.serving:command")
