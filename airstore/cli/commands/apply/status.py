"""``airstore status``."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.reach import Reach, reach_options
from airstore.cli.views.output import output_option, show_document, show_rows
from airstore.cli.views.plans import open_site
from airstore.core.errors import AirstoreError
from airstore.ops.apply.session.session import ApplySession
from airstore.ops.apply.status import Repairs, SiteCondition, SiteStatus, status

_CODES = {SiteCondition.GOOD: 0, SiteCondition.DRIFTED: 60, SiteCondition.UNHEALTHY: 61}


@click.command("status")
@click.option("--watch", is_flag=True, help="Again and again, and put back what drifted, until interrupted.")
@click.option("--interval", type=click.IntRange(1), default=60, help="With --watch: seconds between looks.")
@reach_options
@output_option("site-status")
@pass_context
def command(
    context: Context,
    *,
    watch: bool,
    interval: int,
    reach: Reach,
    output: str,
) -> None:
    """What should run, what runs, and how live objects differ from what was installed.

    Exit codes for monitoring: 0 all is as it should be, 60 something drifted, 61 something is not healthy or
    a run has not ended, 40 the cluster cannot be reached.
    """
    with open_site(context, reach, "status") as session:
        if not watch:
            seen = status(session)
            _show(seen, output)
            click.get_current_context().exit(_CODES[seen.condition])
        repairs = Repairs(session)
        while True:
            _look(context, session, repairs, output)
            time.sleep(interval)


def _look(context: Context, session: ApplySession, repairs: Repairs, output: str) -> None:
    try:
        seen = status(session)
        _show(seen, output)
        if any(each.drift or each.disturbed for each in seen.releases) and not seen.run:
            for line in repairs.repair():
                context.say(line)
    except AirstoreError as fault:  # somebody applies, the server restarts, Helm is refused: look again later
        context.say(str(fault))


def _show(seen: SiteStatus, output: str) -> None:
    if output != "table":
        show_document({**asdict(seen), "condition": seen.condition, "good": seen.good}, output)
        return
    click.echo(f"running: {seen.running or 'nothing'}; newest in the store: {seen.newest}")
    if seen.at_work:
        click.echo(f"another airstore process holds the lock of run {seen.run}: wait for it to end")
    elif seen.run:
        click.echo(
            f"run {seen.run} has not ended; `airstore apply` resumes it, `airstore rollback` undoes it"
        )
    rows = [
        {
            **asdict(each),
            "health": "; ".join(each.health) or "good",
            "drift": "; ".join([*([each.disturbed] if each.disturbed else []), *each.drift]) or "none",
        }
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
