"""``airstore registry bootstrap`` and ``airstore registry mirror-config``."""

from __future__ import annotations

import datetime as dt
import socket
from dataclasses import asdict
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.kubeconfig import find_kubeconfig, kubeconfig_option
from airstore.cli.options.files.sitefile import read_site_file, site_file_option
from airstore.cli.views.output import output_option, show_document, show_fields, show_rows
from airstore.cluster.api.transport.connection import connect
from airstore.cluster.registry.bootstrap import BootstrapPlan
from airstore.cluster.registry.settings import settings_of
from airstore.core.errors import UsageError
from airstore.ops.registry.incluster.bootstrap import Bootstrap, bootstrap, plan_bootstrap
from airstore.ops.registry.incluster.node_access import NodeOptions, find_loader
from airstore.ops.registry.incluster.share import Share, own_access, share
from airstore.ops.registry.incluster.shared import write_access
from airstore.ops.stores.directory import SITE
from airstore.ops.stores.releases.trusted import trusted_release

_NEXT = "airstore registry mirror-config for the nodes, then airstore registry push"


@click.command("bootstrap")
@click.option(
    "--release", "version", default="", help="The release that brings the image; default: the newest."
)
@click.option("--node", default="", help="Start on this node; default: a ready worker.")
@click.option("--ssh", default="", metavar="USER@HOST", help="Load the image into the node over ssh.")
@click.option("--containerd-socket", "socket_path", default="", metavar="PATH", help="On the node.")
@click.option(
    "--k3s-images",
    type=click.Path(path_type=Path, file_okay=False),
    help="Leave the image in this directory of k3s on this machine instead.",
)
@click.option("--timeout", type=click.IntRange(5, 3600), default=300, help="Seconds to wait for pods.")
@click.option("--share", "sharing", is_flag=True, help="Use the registry of another product instead.")
@click.option(
    "--access",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --share: a file of `registry export-access`, where you may not read the registry's Secrets.",
)
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
@kubeconfig_option
@site_file_option
@output_option("registry-bootstrap", "registry-bootstrap-plan", "registry-share")
@pass_context
def command(
    context: Context,
    *,
    version: str,
    node: str,
    ssh: str,
    socket_path: str,
    k3s_images: Path | None,
    timeout: int,
    sharing: bool,
    access: Path | None,
    dry_run: bool,
    kubeconfig: Path | None,
    site_file: Path | None,
    output: str,
) -> None:
    """Make a registry in the cluster from the image that the release brings; run again, it resumes.

    With --share nothing is made: the registry of another product that is there is used.
    """
    if access and not sharing:
        raise UsageError("--access goes with --share")
    store = context.store(SITE, "registry bootstrap", current=True)
    site = read_site_file(context.store_path, site_file)
    release = trusted_release(store, version)
    with connect(find_kubeconfig(kubeconfig)) as connection, store.open_blobs() as blobs:
        if sharing:
            work = Share(store, connection, site, release, context.say, access)
            show_fields(share(work, dry_run=dry_run), output, schema="registry-share")
            if not dry_run:
                context.next(_NEXT)
            return
        planned = plan_bootstrap(connection, release, site, node)
        options = NodeOptions(ssh, socket_path, k3s_images)
        loader = find_loader(planned.node, options, _here()) if planned.node else None
        for warning in planned.warnings:
            context.say(f"warning: {warning}")
        if dry_run:
            _show(planned, output)
            return
        now = dt.datetime.fromtimestamp(context.now(), dt.UTC)
        made = Bootstrap(
            store, blobs, connection, site, planned, loader, context.progress, context.say, now, timeout
        )
        show_fields(bootstrap(made), output)
        context.next(_NEXT)


@click.command("export-access")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@site_file_option
@pass_context
def export(context: Context, file: Path, *, site_file: Path | None) -> None:
    """Write the passwords of this store's registry to FILE (mode 0600), for `bootstrap --share --access`."""
    store = context.store(SITE, "registry export-access")
    site = read_site_file(context.store_path, site_file)
    release = trusted_release(store)
    write_access(own_access(store, release, site, settings_of(release, site).namespace), file)
    click.echo(file)
    context.say(f"next, at the other product's store: airstore registry bootstrap --share --access {file}")


def _show(planned: BootstrapPlan, output: str) -> None:
    if output != "table":
        steps = [asdict(step) for step in planned.steps]
        node = planned.node.name if planned.node else ""
        document = {"node": node, "steps": steps, "warnings": list(planned.warnings)}
        show_document(document, output, schema="registry-bootstrap-plan")
        return
    rows = [{**asdict(step), "state": "do" if step.needed else "done"} for step in planned.steps]
    show_rows(rows, "table", {"name": "STEP", "state": "STATE", "what": "WHAT"})


def _here() -> frozenset[str]:
    name = socket.gethostname()
    return frozenset({name, name.partition(".")[0], socket.getfqdn()})
