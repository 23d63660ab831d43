"""``airstore applier``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.files.kubeconfig import find_kubeconfig, kubeconfig_option
from airstore.cli.options.files.sitefile import read_site_file
from airstore.cli.options.helm import find_helm, helm_option
from airstore.cli.views.output import output_option, print_document, show_document, show_fields, show_rows
from airstore.cluster.api.transport.connection import connect
from airstore.cluster.api.transport.execute import STDERR
from airstore.cluster.applier.settings import applier_settings
from airstore.core.errors import UsageError
from airstore.core.parsing import yamlfile
from airstore.ops.applier.install import install, plan_install
from airstore.ops.applier.logs import list_logs, read_logs, write_logs
from airstore.ops.applier.manifests import Applier, ApplierSource, plan_applier
from airstore.ops.applier.orders import ApplierCluster, run, send_media
from airstore.ops.applier.receive import descends, has_arrived, receive_media, receive_store
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.releases.trusted import trusted_release

_POLL = 1.0  # seconds
_LINGER = 3.0  # seconds: when this ends its container ends, and who sent the store must have been told before
_release_option = click.option(
    "--release", "version", default="", help="What it is to apply; default: the newest."
)
_class_option = click.option("--storage-class", default="", help="Of its volume; default: the cluster's.")


@click.group("applier", cls=Group)
def command() -> None:
    """The applier in the cluster: the site's store in a volume, and airstore beside it.

    It may do what the releases need and no more; an administrator gives it more with `install`.
    """


@command.command("manifests")
@_release_option
@_class_option
@helm_option
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", help="Form.")
@pass_context
def manifests(
    context: Context, *, version: str, storage_class: str, helm_path: Path | None, output: str
) -> None:
    """Print its objects for `kubectl apply -f -`: namespaces, rights, volume, Deployment."""
    documents = _plan(context, _store(context), version, storage_class, helm_path).documents
    if output == "json":
        print_document({"apiVersion": "v1", "kind": "List", "items": list(documents)}, "json")
        return
    for document in documents:
        click.echo(f"---\n{yamlfile.dump(document, ascii_only=True)}", nl=False)


@command.command("install")
@_release_option
@_class_option
@click.option("--timeout", type=click.IntRange(5, 3600), default=300, help="Seconds to wait for its pod.")
@click.option("--dry-run", is_flag=True, help="Only print what would be made or changed.")
@kubeconfig_option
@helm_option
@output_option("applier-installed", "applier-install-plan")
@pass_context
def install_(
    context: Context,
    *,
    version: str,
    storage_class: str,
    timeout: int,
    dry_run: bool,
    kubeconfig: Path | None,
    helm_path: Path | None,
    output: str,
) -> None:
    """Make it or bring it up to date, and give it this store if it has none yet; run again, it resumes.

    Afterwards this store refuses to apply: `airstore applier run -- apply` does it there.
    """
    store = _store(context)
    applier = _plan(context, store, version, storage_class, helm_path)
    with _cluster(context, kubeconfig, timeout) as cluster:
        if dry_run:
            rows = [asdict(step) for step in plan_install(cluster, applier)]
            columns = {"state": "STATE", "what": "WHAT"}
            show_rows(rows, output, columns, schema="applier-install-plan")
            return
        site = read_site_file(store.path, None)
        sent = install(cluster, applier, store, site)
    settings = applier.settings
    fields = {"applier": f"{settings.namespace}/{settings.name}", "image": settings.image}
    show_fields({**fields, "store": "sent" if sent else "was there already"}, output)
    context.next("airstore applier run -- apply")


@command.command("run")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds until it is ended; 0: never.")
@kubeconfig_option
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_context
def run_(context: Context, *, timeout: int, kubeconfig: Path | None, words: tuple[str, ...]) -> None:
    """Run one airstore command there: `applier run -- apply`; ends with its exit code."""
    store = _store(context)
    settings = applier_settings(trusted_release(store), read_site_file(store.path, None))
    with _cluster(context, kubeconfig) as cluster:
        code = run(cluster, settings, words, timeout)
    click.get_current_context().exit(code)


@command.command("send")
@click.argument("media", type=click.Path(path_type=Path, file_okay=False))
@kubeconfig_option
@pass_context
def send(context: Context, media: Path, *, kubeconfig: Path | None) -> None:
    """Copy MEDIA there and import them there; ends with the import's exit code."""
    store = _store(context)
    settings = applier_settings(trusted_release(store), read_site_file(store.path, None))
    with _cluster(context, kubeconfig) as cluster:
        code = send_media(cluster, settings, media)
    click.get_current_context().exit(code)


@command.command("logs")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write them as files into this directory."
)
@kubeconfig_option
@output_option("applier-run-list", "applier-log-files", "applier-logs")
@click.argument("run", default="")
@pass_context
def logs(context: Context, *, run: str, out: Path | None, kubeconfig: Path | None, output: str) -> None:
    """What the hooks of RUN said there, secrets redacted; without RUN, which runs there are."""
    if out and not run:
        raise UsageError("--out needs a run", hint="`airstore applier logs` lists them")
    store = _store(context)
    settings = applier_settings(trusted_release(store), read_site_file(store.path, None))
    with _cluster(context, kubeconfig) as cluster:
        if not run:
            rows = [{"run": each.run, "logs": ", ".join(each.sizes)} for each in list_logs(cluster, settings)]
            show_rows(rows, output, {"run": "RUN", "logs": "LOGS"}, "no runs")
            return
        found = read_logs(cluster, settings, run)
    if out:
        rows = [{"file": str(path)} for path in write_logs(found, out)]
        show_rows(rows, output, {"file": "FILE"}, schema="applier-log-files")
        return
    if output != "table":
        texts = {name: data.decode(errors="replace") for name, data in found.items()}
        show_document({"logs": texts}, output, schema="applier-logs")
        return
    for name, data in found.items():
        click.echo(f"# --- {name}")
        click.echo(data, nl=not data.endswith(b"\n"))


@command.command("await", hidden=True)
@pass_context
def await_(context: Context) -> None:
    """In its pod: wait until the volume has a store."""
    while not has_arrived(context.store_path):
        time.sleep(_POLL)
    time.sleep(_LINGER)


@command.command("receive", hidden=True)
@click.argument("what", type=click.Choice(["store", "media"]))
@output_option("applier-received")
@pass_context
def receive(context: Context, what: str, *, output: str) -> None:
    """In its pod: receive what `install` or `send` writes to standard input."""
    source = sys.stdin.buffer
    if what == "store":
        receive_store(source, context.store_path, context.progress)
        context.say(f"{context.store_path}: all signatures and objects are sound")
        return
    store, now = _store(context), datetime.fromtimestamp(context.now(), UTC)
    result = receive_media(source, store, now, context.progress)
    state = "held already" if result.already else "imported"
    show_fields({"release": result.release.version, "kind": result.index.kind, "state": state}, output)


@command.command("descends", hidden=True)
@click.argument("site")
@click.argument("tip")
@pass_context
def descends_(context: Context, site: str, tip: str) -> None:
    """In its pod: exit code 0 if the store is of this site and its ledger has this entry."""
    store = _store(context)
    click.get_current_context().exit(0 if store.name == site and descends(store, tip) else 1)


def _store(context: Context) -> StoreDirectory:
    return context.store(SITE, "applier")


def _plan(
    context: Context, store: StoreDirectory, version: str, storage_class: str, helm_path: Path | None
) -> Applier:
    with store.open_blobs() as blobs:
        source = ApplierSource(store, blobs, find_helm(helm_path), read_site_file(context.store_path, None))
        return plan_applier(source, version, storage_class)


@contextmanager
def _cluster(context: Context, kubeconfig: Path | None, timeout: float = 300.0) -> Iterator[ApplierCluster]:
    with connect(find_kubeconfig(kubeconfig)) as connection:
        yield ApplierCluster(connection, context.say, _write, context.progress, context.now(), timeout)


def _write(channel: int, data: bytes) -> None:
    """What a command in the cluster says, as it is; it is our own program's, which drives no terminal."""
    click.echo(data, nl=False, err=channel == STDERR)
