"""``airstore images compare``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.kubeconfig import find_kubeconfig, kubeconfig_option
from airstore.cli.views.output import output_option, show_rows
from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import connect
from airstore.cluster.workloads.running import running_images
from airstore.core.errors import IncompleteError
from airstore.ops.publish.images.compare_images import MISSING, compare
from airstore.ops.stores.releases.trusted import trusted_release


@click.command("compare")
@click.option("--release", "version", default="", help="The release to compare with; default: the newest.")
@click.option(
    "-n", "--namespace", "namespaces", multiple=True, help="Default: those of the release's Helm releases."
)
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Every pod of the cluster.")
@click.option("--strict", is_flag=True, help="Fail where something runs that the release does not bring.")
@kubeconfig_option
@output_option("image-comparison")
@pass_context
def command(
    context: Context,
    *,
    version: str,
    namespaces: tuple[str, ...],
    everywhere: bool,
    strict: bool,
    kubeconfig: Path | None,
    output: str,
) -> None:
    """Compare a release with the images that a test cluster's pods really run.

    Install the product there first, and use it: what an operator's program names is found by nothing else.
    Nothing in the cluster is changed.
    """
    release = trusted_release(context.store(), version)
    where = () if everywhere else namespaces or sorted({helm.namespace for helm in release.helm_releases})
    with connect(find_kubeconfig(kubeconfig)) as connection:
        rows = compare(release, running_images(Objects(connection), where))
    columns = {"state": "STATE", "image": "IMAGE", "pods": "PODS", "note": "NOTE"}
    show_rows([asdict(row) for row in rows], output, columns, "no pod runs, and the release has no image")
    missing = [row.image for row in rows if row.state == MISSING]
    if missing:
        named = ", ".join(f'"{image}"' for image in missing)
        context.say(f"what the product needs of them goes under images.include: [{named}]")
    if missing and strict:
        raise IncompleteError(f"{len(missing)} images run that release {release.version} does not bring")
