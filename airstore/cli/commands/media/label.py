"""``airstore media label``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.pages import PAGE, to_stdout, write_page
from airstore.cli.options.files.trustroot import media_root, trust_option
from airstore.cli.views.pages.html import page
from airstore.cli.views.pages.qr import qr_code
from airstore.core.errors import NotTrustedError, UsageError
from airstore.media.found import find_one
from airstore.ops.review.label import label


@click.command("label")
@click.argument("media", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--html",
    "file",
    type=PAGE,
    metavar="FILE",
    help="Where the sheet goes; default: beside MEDIA, as MEDIA-label.html.",
)
@trust_option
@pass_context
def command(context: Context, media: tuple[Path, ...], *, file: Path | None, trust: Path | None) -> None:
    """Write a courier sheet for MEDIA: a page to print, to sign and to compare with.

    It has product and releases, the digest of the signed index (also as a QR code), who signed it, sizes, a
    line for each carrier and lines to sign. The index is verified first, against the trust root of the store
    (-C) or --trust root.json; the files are not read: that is media verify's.
    """
    opened = find_one(*media)
    root = media_root(context, trust, opened)
    if root is None:
        raise NotTrustedError(
            "there is no trust root to verify these media against",
            hint="name the store with -C, or --trust root.json",
        )
    named = media[0].resolve()
    place = file or named.with_name(f"{named.name}-label.html")
    if not to_stdout(place) and any(
        place.absolute().is_relative_to(each.absolute()) for each in opened.directories
    ):
        raise UsageError(
            f"{place} would lie on the media, whose index does not list it", hint="name another place"
        )
    found = label(opened, root)
    write_page(context, place, page("label.html", label=found, qr=qr_code(str(found.digest))))
