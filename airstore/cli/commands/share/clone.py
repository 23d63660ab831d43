"""``airstore clone``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.remotes import make_remote_access, place_options, registry_config_option
from airstore.cli.views.output import output_option, show_fields
from airstore.ops.share.clone import Beginning, clone_store
from airstore.ops.share.pull import PullScope
from airstore.ops.share.remotes import DEFAULT, Remote


@click.command("clone")
@click.argument("directory", type=click.Path(path_type=Path))
@place_options
@click.option(
    "--trust",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The trust root (root.json) that everything is checked against.",
)
@click.option("--product", type=click.Path(path_type=Path), help="The product file, to make releases.")
@click.option(
    "--whole",
    is_flag=True,
    help="Fetch every pack now; otherwise the rest comes when a command reads it.",
)
@registry_config_option
@output_option("store-pull")
@pass_context
def command(
    context: Context,
    directory: Path,
    *,
    git_url: str,
    objects: str,
    plain_http: bool,
    ca: Path | None,
    trust: Path,
    product: Path | None,
    whole: bool,
    registry_config: Path | None,
    output: str,
) -> None:
    """Make a publisher's store in DIRECTORY of what is shared at --git and --objects.

    History, indexes and recipes are fetched, which is enough to make the next release. Keep root.json with
    the product file: it must not come from where the rest comes from. Private keys are never shared: put one
    into DIRECTORY/keys, or its .pub file alone where an ssh-agent has it.
    """
    remote = Remote(DEFAULT, git_url, objects, plain_http, ca.absolute() if ca else None)
    access = make_remote_access(registry_config)
    wanted = PullScope(whole=whole)
    store, done = clone_store(directory, Beginning(trust, product), remote, access, context.progress, wanted)
    show_fields(done.summary(), output)
    for note in done.notes:
        context.say(f"note: {note}")
    context.say(f"made a publisher's store for product {store.name!r} in {directory}")
    context.say(
        f"next: put a release key into {quote(str(store.keys))}, then airstore -C {quote(str(directory))} "
        "release create --version V"
    )
