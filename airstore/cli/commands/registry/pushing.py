"""``airstore registry push``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.kubeconfig import find_kubeconfig, kubeconfig_option
from airstore.cli.options.files.sitefile import read_site_file, site_file_option
from airstore.cli.options.registries import login_access
from airstore.cli.views.output import output_option, show_fields
from airstore.cli.views.pushes import push_fields, say_refused
from airstore.core.errors import TransferError
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.push import UPLOADS, PushOptions, plan_registry, push_release
from airstore.ops.stores.directory import SITE
from airstore.ops.stores.releases.trusted import held_release


@click.command("push")
@click.argument("url", default="")
@click.option("--release", "version", default="", help="The release to push; default: the newest.")
@click.option("--jobs", type=click.IntRange(1, 32), default=UPLOADS, help="Uploads at once.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option(
    "--require-attachments",
    is_flag=True,
    help="Fail where the registry refuses a signature, SBOM or the like.",
)
@login_access
@kubeconfig_option
@site_file_option
@output_option("registry-push")
@pass_context
def command(
    context: Context,
    url: str,
    *,
    version: str,
    jobs: int,
    dry_run: bool,
    require_attachments: bool,
    access: RegistryOptions,
    kubeconfig: Path | None,
    site_file: Path | None,
    output: str,
) -> None:
    """Send what the registry at URL (HOST[:PORT][/PREFIX], or http://...) lacks, and read it back.

    A site's store without URL: to the registry that the site file names, in the cluster or elsewhere.
    """
    store = context.store(current=True)
    with ExitStack() as stack:
        blobs = stack.enter_context(store.open_blobs())
        release = held_release(store, blobs, version)
        name, shared = "", False
        if not url:
            from airstore.ops.registry.own_registry import own_registry  # noqa: PLC0415 - loads Kubernetes

            store.require(SITE, "registry push without a URL")
            site = read_site_file(context.store_path, site_file)
            target = stack.enter_context(
                own_registry(store, release, site, access, find_kubeconfig(kubeconfig))
            )
            url, name, access, shared = target.url, target.name, target.access, target.ours
        if dry_run:
            planned = plan_registry(blobs, release, url, access).summary()
            show_fields(planned | ({"registry": name} if name else {}), output)
            return
        run = PushOptions(context.progress, jobs, context.now(), keep_tags=shared)
        summary, result = push_release(store, blobs, release, url, access, run, name)
    say_refused(context, result)
    show_fields(push_fields(release.version, summary, result, output), output)
    context.next(
        "airstore plan"
        if store.side == SITE
        else f"install it in a test cluster, then airstore images compare --release {release.version}"
    )
    if result.unattached and require_attachments:
        raise TransferError(f"the registry lacks {len(result.unattached)} of what is attached to the images")
