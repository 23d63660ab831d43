"""``airstore media import``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.registries import registry_access
from airstore.cli.views.output import Row, output_option, show_fields, show_rows
from airstore.core.errors import DamagedError, IncompleteError, NotTrustedError, SequenceError, UsageError
from airstore.ops.media.import_many import Result, first_fault, import_all
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.share.media.fetch import Fetched, drop_fetched, fetch_media, is_address
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.releases.trusted import held_release
from airstore.ops.stores.site.anchors import anchor_faults
from airstore.process.heaps import small_heap

_DRY = "import, then `airstore registry push URL --dry-run` says what a push would send"
_COLUMNS = {
    "media": "MEDIA", "release": "RELEASE", "kind": "KIND", "from": "FROM", "media_bytes": "SIZE",
    "state": "STATE",
}  # fmt: skip


@click.command("import")
@click.argument("media", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Verify everything, change nothing.")
@click.option("--push", "url", metavar="URL", help="Then push to this registry, in one go.")
@registry_access
@output_option("media-import-list")
@pass_context
def command(
    context: Context,
    media: tuple[str, ...],
    *,
    dry_run: bool,
    url: str | None,
    access: RegistryOptions,
    output: str,
) -> None:
    """Verify MEDIA and take them in; a directory with media below it, such as a carrier's, will do.

    Several are sorted by their releases, and what fits is imported; one that fails keeps no other out.
    Volumes come in any order, several at once or one after the other: what was there is kept until all are.

    A site with a line outwards names oci://HOST/REPOSITORY[:TAG] (from airstore media push) or
    https://HOST/DIRECTORY: they are fetched, resumed where a line broke, and verified as from a carrier.

    With --push the newest release is sent to the registry at URL afterwards, as airstore registry push
    URL does. Where that fails, what was imported stays, and either command goes on.
    """
    if url is not None and dry_run:
        raise UsageError("--dry-run imports nothing that --push could send", hint=_DRY)
    if url is not None:
        _check_target(url, access)
    click.get_current_context().with_resource(small_heap())
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
    rows += [_held(each) for each in fetched if each.directory is None]
    _show(
        rows,
        output,
        (lambda: _push(context, store, url, access, output)) if url is not None and not fault else None,
    )
    if fault:
        failed = next(result for result in results if result.fault is fault)
        raise type(fault)(f"{failed.source}: {fault}", hint=fault.hint)
    newest = next((r for r in reversed(results) if r.state == "imported"), None)
    if behind and not list(anchor_faults(store)):
        context.say("the store is as new as its anchor again")
    if newest:
        version = newest.index.release.version
        context.next(
            "airstore plan" if url else f"airstore plan, or airstore registry push, for release {version}"
        )


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


def _show(rows: list[Row], output: str, push: Callable[[], Row] | None) -> None:
    """A table comes before the push, which takes its time; a document has both, also where the push fails."""
    if output == "table":
        show_rows(rows, output, _COLUMNS)
        if push:
            pushed = push()
            click.echo()
            show_fields(pushed, output)
        return
    beside: dict[str, Row] = {}
    try:
        if push:
            beside["pushed"] = push()
    finally:
        show_rows(rows, output, _COLUMNS, beside=beside)


def _check_target(url: str, access: RegistryOptions) -> None:
    """Before gigabytes are copied; no registry is asked."""
    from airstore.ops.registry.push import parse_target  # noqa: PLC0415 - loads requests

    with parse_target(url, access)[0]:
        pass


def _push(context: Context, store: StoreDirectory, url: str, access: RegistryOptions, output: str) -> Row:
    """What ``airstore registry push URL`` does; the trust root that the import left is the one in force."""
    from airstore.cli.views.pushes import push_fields, say_refused  # noqa: PLC0415 - these load requests
    from airstore.ops.registry.push import UPLOADS, PushOptions, push_release  # noqa: PLC0415

    store.trust_root().check_expiry(datetime.fromtimestamp(context.now(), UTC))
    with store.open_blobs() as blobs:
        release = held_release(store, blobs)
        run = PushOptions(context.progress, UPLOADS, context.now())
        summary, result = push_release(store, blobs, release, url, access, run)
    say_refused(context, result)
    return push_fields(release.version, summary, result, output)


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
