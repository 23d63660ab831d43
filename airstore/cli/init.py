"""``airstore init``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from airstore.cli.context import Context, pass_context
from airstore.core.errors import UsageError
from airstore.ops.initialise import init_publisher, init_site


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--product", type=click.Path(path_type=Path), help="Publisher: the product file.")
@click.option("--site", help="Site: its name, in lower case.")
@click.option("--trust", type=click.Path(path_type=Path), help="Site: the publisher's root.json.")
@pass_context
def command(
    context: Context, directory: Path, product: Path | None, site: str | None, trust: Path | None
) -> None:
    """Make a store in DIRECTORY: with --product a publisher's, with --site and --trust a site's.

    Get root.json to the site on another way than the media, and compare its fingerprint by telephone:
    it is what everything else is checked against.
    """
    if product and not (site or trust):
        store = init_publisher(directory, product)
        context.say(f"made a publisher's store for product {store.name!r} in {directory}")
        context.say(f"next: airstore -C {quote(str(directory))} key generate release")
    elif site and trust and not product:
        store = init_site(directory, site, trust)
        context.say(f"made the store of site {store.name!r} in {directory}")
        context.say(f"next: airstore -C {quote(str(directory))} media import MEDIA")
    else:
        raise UsageError(
            "give either --product FILE (publisher), or --site NAME and --trust root.json (site)"
        )
