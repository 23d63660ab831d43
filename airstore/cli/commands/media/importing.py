"""``airstore media import``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.registries import registry_access
from airstore.cli.views.output import Row, output_option, show_rows
from airstore.core.errors import DamagedError, IncompleteError, NotTrustedError, SequenceError
from airstore.ops.media.import_many import Result, first_fault, import_all
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.share.media.fetch import Fetched, drop_fetched, fetch_media, is_address
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.site.anchors import anchor_faults
from airstore.process.heaps import one_heap

_COLUMNS = {
    "media": "MEDIA", "release": "RELEASE", "kind": "KIND", "from": "FROM", "media_bytes": "SIZE",
    "state": "STATE",
}  # fmt: skip


@click.command("import")
@click.argument("media", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Verify everything, change nothing.")
@registry_access
@output_option("media-import-list")
@pass_context
def command(
    context: Context, media: tuple[str, ...], *, dry_run: bool, access: RegistryOptions, output: str
) -> None:
    """Verify MEDIA and take them in; a directory with media below it, such as a carrier's, will do.

    Several are sorted by their releases, and what fits is imported; one that fails keeps no other out.
    Volumes come in any order, several at once or one after the other: what was there is kept until all are.

    A site with a line outwards names oci://HOST/REPOSITORY[:TAG] (from airstore media push) or
    https://HOST/DIRECTORY: they are fetched, resumed where a line broke, and verified as from a carrier.
    """
    one_heap()
    store = context.store(SITE, "media import")
    behind = list(anchor_faults(store))
    for fault_text in behind:
        context.say(f"warning: {fault_text}")
    fetched = _fetched(context, store, [each for each in media if is_address(each)], access)
    here = [Path(each) for each in media if not is_address(each)]
    arrived = {each.directory: each for each in fetched if each.directory}
    named = [*here, *arrived]
    now = datetime.fromtimestamp(context.now(), UTC)
    results = import_all(store, named, now, context.progress, context.say, dry_run=dry_run) if named else []
    fault = first_fault(results)
    if fetched and not dry_run and (fault is None or isinstance(fault, _FINAL)):
        drop_fetched(store)
    if fault and len(results) == 1:
        raise fault
    rows = [_row(result, arrived) for result in results]
    show_rows([*rows, *(_held(each) for each in fetched if each.directory is None)], output, _COLUMNS)
    if fault:
        failed = next(result for result in results if result.fault is fault)
        raise type(fault)(f"{failed.source}: {fault}", hint=fault.hint)
    newest = next((r for r in reversed(results) if r.state == "imported"), None)
    if behind and not list(anchor_faults(store)):
        context.say("the store is as new as its anchor again")
    if newest:
        version = newest.index.release.version
        context.next(f"airstore plan, or airstore registry push, for release {version}")


# What fetching again would not change.
_FINAL = (DamagedError, IncompleteError, NotTrustedError, SequenceError)


def _fetched(
    context: Context, store: StoreDirectory, addresses: list[str], access: RegistryOptions
) -> list[Fetched]:
    try:
        return [fetch_media(store, address, access, context.progress) for address in addresses]
    except _FINAL:
        drop_fetched(store)
        raise


def _row(result: Result, arrived: dict[Path, Fetched]) -> Row:
    source = arrived.get(result.media.directory)
    return {**result.row(), **({"media": source.source} if source else {})}


def _held(fetched: Fetched) -> Row:
    index = fetched.index
    return {
        "media": fetched.source,
        "release": index.release.version,
        "kind": index.kind,
        "from": index.starts_from,
        "new_releases": [],
        "media_bytes": index.size,
        "state": "held already",
    }
