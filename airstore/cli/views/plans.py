"""Showing plans, and the options of commands that work on a site's cluster."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from airstore.cli.context import Context
from airstore.cli.options.files.kubeconfig import find_kubeconfig
from airstore.cli.options.files.sitefile import read_site_file
from airstore.cli.options.helm import IN_CLUSTER, find_helm
from airstore.cli.options.reach import Reach
from airstore.cli.text import printable
from airstore.cli.views.live import display
from airstore.cli.views.output import show_document, show_rows
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ExternalRegistry
from airstore.core.progress import Progress
from airstore.ops.apply.session.ending.outcome import RunOutcome
from airstore.ops.apply.session.handover import refuse_marked
from airstore.ops.apply.session.plan import SitePlan
from airstore.ops.apply.session.session import ApplySession, Invocation, open_session
from airstore.ops.stores.directory import SITE

_REPLACED = "cannot be changed: it is deleted and made again"
# The last two are how programs find the cluster whose pod they run in.
_SEEN_BY_HOOKS = ("PATH", "HOME", "LANG", "TZ", *IN_CLUSTER)


def external_registry(site: SiteFile) -> str | None:
    """A registry that exists already can be asked; one that airstore will make cannot yet."""
    return site.registry.address if isinstance(site.registry, ExternalRegistry) else None


def show_steps(planned: SitePlan, *, diff: bool) -> None:
    """What would happen to each Helm release, and the difference of the manifests."""
    rows = [{**asdict(step), "lines": f"+{step.added} -{step.removed}"} for step in planned.steps]
    columns = {
        "action": "ACTION",
        "name": "RELEASE",
        "namespace": "NAMESPACE",
        "chart": "CHART",
        "chart_version": "VERSION",
        "lines": "MANIFEST LINES",
    }
    show_rows(rows, "table", columns, "no Helm releases")
    for step in planned.steps:
        for line in (
            *([step.reason] if step.reason else []),
            *(f"warning: {each}" for each in step.warnings),
            *(f"{each} {_REPLACED}{_stays(each)}" for each in step.replaces),
        ):
            click.echo(printable(f"{step.key}: {line}"))
    if planned.backups:
        click.echo(f"backed up first: {', '.join(planned.backups)}")
    for step in planned.steps:
        if diff and step.diff:
            click.echo(f"\n{printable(step.diff)}", nl=False)


def _stays(what: str) -> str:
    stays = "; its pods stay until they are replaced, its claims for good"
    return stays if what.startswith("StatefulSet ") else ""


def show_plan(planned: SitePlan, output: str, *, diff: bool, note: str = "") -> None:
    """What a dry run found; ``note`` is a line more for people."""
    if output != "table":
        show_document(asdict(planned), output, schema="site-plan")
        return
    click.echo(f"release {planned.version or 'none'}; running: {planned.running or 'nothing'}")
    if planned.signed_images:
        share = f"{planned.signed_images} of {planned.images} images"
        click.echo(f"upstream signatures: of {share}, verified by the publisher")
    if note:
        click.echo(note)
    show_steps(planned, diff=diff)


def show_outcome(outcome: RunOutcome, output: str) -> None:
    """How a run ended."""
    if output != "table":
        show_document(asdict(outcome), output, schema="run-outcome")
        return
    rows = [{"release": key, "state": state} for key, state in outcome.states.items()]
    if outcome.run or not outcome.confirmed:
        show_rows(rows, "table", {"release": "RELEASE", "state": "FOUND"}, "no Helm releases")
    what = f"release {outcome.version}" if outcome.version else "nothing"
    if not outcome.confirmed:
        click.echo(f"{outcome.end}; {what} should run now, but that is not what was found: see above")
    elif outcome.run:
        click.echo(f"{outcome.end}; running: {outcome.version or 'nothing'}")
    else:
        click.echo(f"{what} runs already; nothing to do")


class CommandConsole:
    """`airstore.ops.apply.session.session.Console` of a command."""

    def __init__(self, context: Context) -> None:
        self._context, self.display = context, display(context)

    @property
    def progress(self) -> Progress:
        """See `Console`."""
        return self._context.progress

    def say(self, message: str) -> None:
        """See `Console`."""
        self.display.clear()
        self._context.say(message)


@contextmanager
def open_site(context: Context, reach: Reach, what: str, resume: str = "rollback") -> Iterator[ApplySession]:
    """The site's store and its cluster.

    Args:
        context: of the command.
        reach: as given on the command line.
        what: the command.
        resume: the command that resumes when an operator was needed.
    """
    store = context.store(SITE, what)
    refuse_marked(store, what)
    cluster = find_kubeconfig(reach.kubeconfig)
    file = read_site_file(context.store_path, reach.site_file)
    words = ["airstore", "-C", str(context.store_path), resume]
    words += ["--kubeconfig", str(cluster)] if cluster else []
    words += ["--site-file", str(reach.site_file.absolute())] if reach.site_file else []
    words += ["--helm", str(reach.helm_path.absolute())] if reach.helm_path else []
    seen = {name: os.environ[name] for name in _SEEN_BY_HOOKS if name in os.environ}
    invocation = Invocation(cluster, seen, shlex.join(words), context.now)
    with open_session(
        store, file, find_helm(reach.helm_path), invocation, CommandConsole(context)
    ) as session:
        yield session
