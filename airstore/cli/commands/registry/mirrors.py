"""``airstore registry mirror-config``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.sitefile import read_site_file, site_file_option
from airstore.cluster.registry.mirror_config import RUNTIMES
from airstore.cluster.registry.mirror_merge import marked
from airstore.core.errors import UsageError
from airstore.ops.registry.incluster.mirror_config import node_files, write_files
from airstore.ops.stores.directory import SITE
from airstore.ops.stores.releases.trusted import trusted_release


@click.command("mirror-config")
@click.option("--runtime", type=click.Choice(RUNTIMES), required=True, help="What the nodes run.")
@click.option("--release", "version", default="", help="Its images are mirrored; default: the newest.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the files below this directory instead of printing them.",
)
@click.option("--credentials", is_flag=True, help="With the pull password; needs --out, mode 0600.")
@site_file_option
@pass_context
def command(
    context: Context,
    *,
    runtime: str,
    version: str,
    out: Path | None,
    credentials: bool,
    site_file: Path | None,
) -> None:
    """Configuration that makes nodes pull from the site's registry and nothing from upstream."""
    if credentials and not out:
        raise UsageError("passwords are not printed", hint="give --out DIRECTORY, too")
    store = context.store(SITE, "registry mirror-config")
    site = read_site_file(context.store_path, site_file)
    release, now = trusted_release(store, version), dt.datetime.fromtimestamp(context.now(), dt.UTC)
    files = node_files(store, release, site, runtime, now, credentials=credentials)
    if out:
        for written in write_files(files, out, release.product):
            click.echo(written.path)
            if written.why:
                context.say(f"to merge: {written.why}; what this product needs is in {written.path}")
        context.say(f"next: copy what is in {out} to the same paths of every node")
        return
    for file in (marked(each, [release.product]) for each in files):
        click.echo(f"# --- {file.path}\n{file.text}", nl=False)
