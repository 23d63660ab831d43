"""``airstore bundle``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.views.output import output_option, show_rows
from airstore.ops.tool.bundle import Sources, make
from airstore.ops.tool.platforms import GLIBC, PLATFORMS, named

_DIRECTORY = click.Path(path_type=Path, file_okay=False)


def _split(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",")]


def _minor(_ctx: click.Context, _parameter: click.Parameter, value: str) -> int:
    match = re.fullmatch(r"2\.(\d{1,3})", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no version of glibc, such as 2.28")
    return int(match[1])


@click.command("bundle")
@click.argument("out", type=_DIRECTORY)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    required=True,
    callback=_split,
    metavar="PLATFORM",
    help=f"{' or '.join(each.name for each in PLATFORMS)}; several with commas, or repeated.",
)
@click.option(
    "--wheels", type=_DIRECTORY, required=True, help="airstore's wheels, as scripts/wheels makes them."
)
@click.option(
    "--programs",
    type=_DIRECTORY,
    required=True,
    help="git, Helm and kubectl for each platform, as scripts/bundle makes them.",
)
@click.option(
    "--glibc",
    default=f"2.{GLIBC}",
    show_default=True,
    metavar="VERSION",
    callback=_minor,
    help="The oldest glibc that a site has; what needs a newer one is refused.",
)
@output_option("tool-bundle-list")
@pass_context
def command(
    context: Context,
    out: Path,
    *,
    platforms: list[str],
    wheels: Path,
    programs: Path,
    glibc: int,
    output: str,
) -> None:
    """Make the bundle that runs where nothing is installed: a folder and an archive for each platform.

    Python comes from a Go module and packages from wheels, each held against its hash: it needs go, pip and
    the network.
    """
    made = make(out, named(platforms), Sources(wheels, programs, glibc), context.say)
    rows = [
        {
            "platform": each.platform.name,
            "archive": str(each.archive),
            "archive_bytes": each.archive_bytes,
            "folder": str(each.folder),
            "folder_bytes": each.folder_bytes,
        }
        for each in made
    ]
    columns = {
        "platform": "PLATFORM",
        "archive": "ARCHIVE",
        "archive_bytes": "SIZE",
        "folder_bytes": "UNPACKED",
    }
    show_rows(rows, output, columns)
    context.say(
        "next: airstore media create --with-tool ARCHIVE, or sign SHA256SUMS (docs/install-offline.md)"
    )
