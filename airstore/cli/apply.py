"""``airstore apply``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.helm import helm_option
from airstore.cli.output import output_option, show_document
from airstore.cli.plans import (
    external_registry,
    kubeconfig_option,
    open_site,
    read_site_file,
    show_outcome,
    show_steps,
    site_file_option,
)
from airstore.cli.registries import access_options, make_access
from airstore.ops.apply import Wish, apply, plan_apply
from airstore.ops.directory import SITE
from airstore.ops.push import Run, push_release
from airstore.ops.trusted import trusted_release


@click.command("apply")
@click.option("--release", "version", default="", help="The release to apply; default: the newest.")
@click.option("--dry-run", is_flag=True, help="Check the prerequisites and print the plan, change nothing.")
@click.option("--diff/--no-diff", default=True, help="With --dry-run: show the difference of the manifests.")
@click.option("--push/--no-push", default=True, help="Push to the site's registry first, if it is external.")
@click.option(
    "--check-images/--no-check-images", default=True, help="Ask the registry for every image first."
)
@kubeconfig_option
@site_file_option
@helm_option
@access_options
@output_option
@pass_context
def command(
    context: Context,
    *,
    version: str,
    dry_run: bool,
    diff: bool,
    push: bool,
    check_images: bool,
    kubeconfig: Path | None,
    site_file: Path | None,
    helm_path: Path | None,
    plain_http: tuple[str, ...],
    ca: Path | None,
    insecure_skip_tls_verify: bool,
    registry_config: Path | None,
    output: str,
) -> None:
    """Bring the cluster to a release: all Helm releases, or back to where they were.

    A run that was killed is taken up again. Exit codes: 50 it failed and what ran before runs again;
    51 the way back failed too, and somebody has to look.
    """
    site_values = read_site_file(context.store_path, site_file)
    access = make_access(plain_http, ca, insecure=insecure_skip_tls_verify, registry_config=registry_config)
    wish = Wish(site_values, version, access, check_images)
    with open_site(context, kubeconfig, helm_path, "apply") as site:
        if dry_run:
            planned = plan_apply(site, wish)
            if output != "table":
                show_document(asdict(planned), output)
                return
            click.echo(f"release {planned.version}; running: {planned.running or 'nothing yet'}")
            show_steps(planned, diff=diff)
            return
        host = external_registry(site_values)
        if push and host:
            store = context.store(SITE, "apply")
            release = trusted_release(store, version)
            summary, _ = push_release(
                store, site.blobs, release, host, access, Run(context.progress, 4, context.now())
            )
            context.say(f"pushed to {summary.registry}: {summary.upload_blobs} blobs were missing")
        outcome = apply(site, wish)
    if output != "table":
        show_document(asdict(outcome), output)
        return
    show_outcome(outcome)
