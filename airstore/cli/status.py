"""``airstore status``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.helm import helm_option
from airstore.cli.kubeconfig import kubeconfig_option
from airstore.cli.output import output_option, show_document, show_rows
from airstore.cli.plans import Reach, open_site
from airstore.cli.sitefile import site_file_option
from airstore.core.errors import AirstoreError
from airstore.ops.drive import Site
from airstore.ops.status import SiteStatus, reconcile, status


@click.command("status")
@click.option("--watch", is_flag=True, help="Again and again, and put back what drifted, until interrupted.")
@click.option("--interval", type=click.IntRange(1), default=60, help="With --watch: seconds between looks.")
@kubeconfig_option
@site_file_option
@helm_option
@output_option
@pass_context
def command(
    context: Context,
    *,
    watch: bool,
    interval: int,
    kubeconfig: Path | None,
    helm_path: Path | None,
    site_file: Path | None,
    output: str,
) -> None:
    """What should run, what runs, and how live objects differ from what was applied."""
    with open_site(context, Reach(kubeconfig, helm_path, site_file), "status") as site:
        if not watch:
            _show(status(site), output)
            return
        while True:
            _look(context, site, output)
            time.sleep(interval)


def _look(context: Context, site: Site, output: str) -> None:
    try:
        seen = status(site)
        _show(seen, output)
        for key in reconcile(site, seen):
            context.say(f"installed again: {key}")
    except AirstoreError as fault:  # somebody applies, the server restarts, Helm is refused: look again later
        context.say(str(fault))


def _show(seen: SiteStatus, output: str) -> None:
    if output != "table":
        show_document({**asdict(seen), "good": seen.good}, output)
        return
    click.echo(f"running: {seen.running or 'nothing'}; newest in the store: {seen.newest}")
    if seen.run:
        click.echo(f"run {seen.run} has not ended: `airstore apply` goes on, `airstore rollback` turns back")
    rows = [
        {**asdict(each), "health": "; ".join(each.health) or "good", "drift": "; ".join(each.drift) or "none"}
        for each in seen.releases
    ]
    columns = {
        "name": "RELEASE",
        "namespace": "NAMESPACE",
        "chart_version": "VERSION",
        "helm": "HELM",
        "health": "HEALTH",
        "drift": "DRIFT",
    }
    show_rows(rows, "table", columns, "no Helm releases")
