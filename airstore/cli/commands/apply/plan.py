"""``airstore plan``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.pages import PAGE, alone_on_stdout, write_page
from airstore.cli.options.files.sitefile import read_site_file, site_file_option
from airstore.cli.options.helm import find_helm, helm_option
from airstore.cli.options.registries import login_access
from airstore.cli.text import human
from airstore.cli.views.output import output_option, show_document
from airstore.cli.views.plans import external_registry, show_steps
from airstore.ops.apply.session.plan import SitePlan, plan_site
from airstore.ops.apply.session.prepare import Rendering
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.push import plan_registry
from airstore.ops.stores.directory import SITE
from airstore.ops.stores.releases.trusted import trusted_release


@click.command("plan")
@click.option("--release", "version", default="", help="The release to plan; default: the newest.")
@click.option("--compare", default="", help="Compare with this release instead of what the ledger says runs.")
@site_file_option
@click.option(
    "--registry",
    "url",
    default="",
    help="Ask this registry what it lacks; default: the site file's, if external.",
)
@click.option("--diff/--no-diff", default=True, help="Show the difference of the rendered manifests.")
@click.option(
    "--html",
    type=PAGE,
    metavar="FILE",
    help="Also write a page: the plan, what the site holds, the last runs; needs nothing but itself.",
)
@helm_option
@login_access
@output_option("plan")
@pass_context
def command(
    context: Context,
    *,
    version: str,
    compare: str,
    site_file: Path | None,
    url: str,
    diff: bool,
    html: Path | None,
    helm_path: Path | None,
    access: RegistryOptions,
    output: str,
) -> None:
    """What would be pushed and which Helm releases would change, without changing anything."""
    store = context.store(SITE, "plan")
    alone = alone_on_stdout(html, output)
    site = read_site_file(context.store_path, site_file)
    with store.open_blobs() as blobs:
        rendering = Rendering(find_helm(helm_path))
        planned = plan_site(store, blobs, rendering, site, version, compare)
        release = trusted_release(store, planned.version)
        push = plan_registry(blobs, release, url or external_registry(site), access)
        if html:
            from airstore.cli.views.pages.site import site_html  # noqa: PLC0415 - the others do without
            from airstore.ops.review.site import site_facts  # noqa: PLC0415

            facts = site_facts(store, blobs)
            made = site_html(planned, push.summary(), facts, compare, context.now())
            write_page(context, html, made)
    if alone:
        return
    if output != "table":
        show_document({**asdict(planned), "push": push.summary()}, output)
        return
    _show(planned, push.summary(), diff=diff)


def _show(planned: SitePlan, push: dict[str, Any], *, diff: bool) -> None:
    click.echo(f"release {planned.version}; running: {planned.running or 'nothing'}")
    target = push["registry"] or "none was asked (--registry names one)"
    click.echo(
        f"registry: {target}; to upload: {push['upload_blobs']} blobs, {human(push['upload_bytes'])}; "
        f"there already: {push['present_blobs']} blobs, {human(push['present_bytes'])}"
    )
    show_steps(planned, diff=diff)
