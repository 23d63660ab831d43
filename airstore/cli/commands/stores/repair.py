"""``airstore repair``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.registries import login_access
from airstore.cli.options.remotes import make_remote_access
from airstore.cli.text import printable
from airstore.cli.views.output import output_option, show_document
from airstore.core.errors import DamagedError, UsageError
from airstore.core.location import CONFIG
from airstore.media.found import find_media
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.repair.registries import RegistrySource
from airstore.ops.repair.repair import RepairOutcome, RepairRequest, repair
from airstore.ops.repair.sources import MediaSource, RepairSource, StoreSource, require_plain
from airstore.ops.share.lending import RemoteSource
from airstore.ops.share.remotes import load_remotes
from airstore.ops.stores.directory import StoreDirectory, open_directory

_MOST = 5  # notes that people read


@click.command("repair")
@click.option(
    "--from",
    "places",
    multiple=True,
    metavar="PLACE",
    help="Media, another store, a registry HOST[:PORT][/PREFIX] or a remote's name; repeatable, in order.",
)
@click.option(
    "--trust",
    "root",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The trust root in force, from whoever you trust, where this store's own is damaged.",
)
@click.option(
    "--release",
    "releases",
    multiple=True,
    metavar="VERSION",
    help="Also bring back what `gc` dropped of this release. Repeatable.",
)
@click.option(
    "--accept-lost-entries",
    "accept_lost",
    is_flag=True,
    help="Site: go on without ledger entries that nobody has any more; the ledger says so.",
)
@login_access
@output_option("store-repaired")
@pass_context
def command(
    context: Context,
    *,
    places: tuple[str, ...],
    root: Path | None,
    releases: tuple[str, ...],
    accept_lost: bool,
    access: RegistryOptions,
    output: str,
) -> None:
    """Restore what `check` finds damaged or missing: packs, index, history, refs and trust state.

    Everything that is taken is verified: blobs by their digests, releases by their signatures. What cannot
    be restored is named with what would restore it. Stopped at any moment, it goes on when it is run again.
    """
    store = context.store()
    sources = [source for place in places for source in _sources(context, store, place, access)]
    when = context.now() if accept_lost else None
    done = repair(store, RepairRequest(sources, root, releases, when), context.progress)
    _show(context, done, output)
    if done.remaining:
        count = len(done.remaining)
        raise DamagedError(
            f"{store.path}: {'1 fault' if count == 1 else f'{count} faults'} could not be repaired",
            hint=done.remaining[0].way_out,
        )
    context.say(f"{store.path}: all signatures and objects are sound")


def _sources(
    context: Context, store: StoreDirectory, place: str, access: RegistryOptions
) -> Iterator[RepairSource]:
    path = Path(place)
    if (path / CONFIG).is_file():
        if path.resolve() == context.store_path.resolve():
            raise UsageError(f"{place} is the store that is to be repaired")
        require_plain(path)
        yield StoreSource(open_directory(path))
    elif path.exists() or place.startswith(("/", ".")):
        yield from (MediaSource(media, context.progress) for media in find_media([path]))
    elif "://" in place or set(place.partition("/")[0]) & set(".:") or place.startswith("localhost"):
        yield RegistrySource(place, access)
    elif store.layout.remotes.exists() and (remote := load_remotes(store).get(place)):
        yield RemoteSource(remote, replace(make_remote_access(), registries=access))
    else:
        raise UsageError(
            f"{place} is no directory, no registry HOST[:PORT][/PREFIX], and no remote of this store",
            hint="name media, another store, a registry, or a remote as `airstore remote list` does",
        )


def _show(context: Context, done: RepairOutcome, output: str) -> None:
    if output != "table":
        remaining = [
            {"fault": each.problem.fault, "breaks": list(each.problem.breaks), "way_out": each.way_out}
            for each in done.remaining
        ]
        show_document(
            {"restored": list(done.restored), "refused": list(done.refused), "remaining": remaining}, output
        )
        return
    for what in _in_brief(done.restored):
        click.echo(printable(f"restored {what}"))
    for why in _few(done.refused):
        context.say(f"note: {why}")
    for each in done.remaining:
        click.echo(printable(f"not restored: {each.problem.fault}"))
        for broken in each.problem.breaks:
            click.echo(printable(f"  breaks {broken}"))
        click.echo(printable(f"  needs {each.way_out}"))


def _in_brief(restored: Sequence[str]) -> list[str]:
    """Blobs by their number: nobody reads thousands of digests, and ``-o json`` has them."""
    blobs = [what for what in restored if what.startswith("blob ")]
    count = [f"{len(blobs)} blobs"] if len(blobs) > 1 else blobs
    others = [what for what in restored if not what.startswith("blob ")]
    return others[: _before(restored)] + count + others[_before(restored) :]


def _before(restored: Sequence[str]) -> int:
    return next((at for at, what in enumerate(restored) if what.startswith("blob ")), len(restored))


def _few(refused: Sequence[str]) -> list[str]:
    more = len(refused) - _MOST
    return [*refused[:_MOST], *([f"{more} more such; -o json has them all"] if more > 0 else [])]
