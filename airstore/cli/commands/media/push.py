"""``airstore media push``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.registries import registry_access
from airstore.cli.views.output import output_option, show_fields
from airstore.media.found import find_one
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.share.media.push import push_media


@click.command("push")
@click.argument("media", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("place", metavar="oci://HOST/REPOSITORY[:TAG]")
@registry_access
@output_option("media-push")
@pass_context
def command(
    context: Context, media: tuple[Path, ...], place: str, *, access: RegistryOptions, output: str
) -> None:
    """Put MEDIA into a registry, for sites with a line outwards; they need no store.

    Files that the registry has are not sent again. A site fetches them with airstore media import and the
    same address, and verifies them as from a carrier. Of media in volumes name all of them, or the directory
    that they are in. A web server does as well: copy the directory there.
    """
    done = push_media(find_one(*media), place, access, context.progress)
    show_fields(done.summary(), output)
    context.say(f"next, at the site: airstore media import oci://{done.place}")
