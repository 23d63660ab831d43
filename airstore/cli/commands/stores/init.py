"""``airstore init``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from airstore.cli.context import Context, pass_context, system_time
from airstore.cli.options.files.kubeconfig import find_kubeconfig
from airstore.core.errors import UsageError
from airstore.ops.publish import starter
from airstore.ops.publish.starter_files import from_file
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.initialise import init_publisher, init_site


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--product", type=click.Path(path_type=Path), help="Publisher: the product file.")
@click.option(
    "--from-chart",
    metavar="CHART",
    help="Write the product file: of a directory, a .tgz or oci://...:VERSION.",
)
@click.option(
    "--from-images",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the product file: of a list of images, a zarf.yaml or a Hauler manifest.",
)
@click.option("--site", help="Site: its name, in lower case.")
@click.option("--trust", type=click.Path(path_type=Path), help="Site: the publisher's root.json.")
@click.option(
    "--anchor",
    default="",
    metavar="PLACE",
    help="Site: note outside of the store, too, how far it has come: file:///PATH or configmap:NS/NAME.",
)
@pass_context
def command(
    context: Context,
    directory: Path,
    *,
    product: Path | None,
    from_chart: str | None,
    from_images: Path | None,
    site: str | None,
    trust: Path | None,
    anchor: str,
) -> None:
    """Make a store in DIRECTORY: with --product a publisher's, with --site and --trust a site's.

    Get root.json to the site on another way than the media, and compare its fingerprint by telephone:
    it is what everything else is checked against.

    --from-chart and --from-images write a commented product file first, airstore.yaml unless --product says
    otherwise, and its schema for editors beside it.
    """
    written: list[Path] = []
    if (from_chart or from_images) and not (site or trust):
        product = product or Path("airstore.yaml")
        written = _write_starter(product, from_chart, from_images)
    if product and not (site or trust):
        store = _init_publisher(directory, product, written)
        if written:
            context.say(f"wrote {product}: read it through, it is a start")
        context.say(f"made a publisher's store for product {store.name!r} in {directory}")
        context.say(f"next: airstore -C {quote(str(directory))} key generate release")
    elif site and trust and not product:
        kubeconfig = find_kubeconfig(None)
        store = init_site(directory, site, trust, int(system_time()), anchor, kubeconfig)
        context.say(f"made the store of site {store.name!r} in {directory}")
        context.say(f"next: airstore -C {quote(str(directory))} media import MEDIA")
    else:
        raise UsageError(
            "give either --product FILE (publisher), or --site NAME and --trust root.json (site)"
        )


def _init_publisher(directory: Path, product: Path, written: list[Path]) -> StoreDirectory:
    """The store; without one, what was written for it goes, too."""
    try:
        return init_publisher(directory, product)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write_starter(product: Path, chart: str | None, images: Path | None) -> list[Path]:
    """Write the product file, and its schema unless it is there; which of them were not there."""
    if chart and images:
        raise UsageError("--from-chart and --from-images exclude each other")
    if product.exists():
        raise UsageError(f"{product} exists already", hint="name another file with --product, or remove it")
    schema = product.with_name(starter.SCHEMA_FILE)
    new = [product] if schema.exists() else [product, schema]
    made = starter.from_chart(chart, product.parent) if chart else None
    if images:
        made = from_file(images)
    assert made is not None  # noqa: S101 - one of both is given
    starter.write(made, product, schema)
    return new
