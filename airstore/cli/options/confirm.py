"""Asking before something is given up that cannot be had back."""

from __future__ import annotations

import sys

import click

from airstore.cli.context import Context
from airstore.cli.options.gathered import gathered
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen


@frozen
class Losses:
    """``--skip-backup`` and ``--skip-reinstate``, names of Helm releases; and ``--yes``."""

    skipped: tuple[str, ...]
    abandoned: tuple[str, ...]
    yes: bool


loss_options = gathered(
    "losses",
    Losses,
    click.option(
        "--skip-backup",
        "skipped",
        multiple=True,
        metavar="RELEASE",
        help="Neither back up nor restore this Helm release; asks first. Repeatable.",
    ),
    click.option(
        "--skip-reinstate",
        "abandoned",
        multiple=True,
        metavar="RELEASE",
        help="Going back, leave this Helm release stopped: it cannot be installed again; asks first."
        " Repeatable.",
    ),
    click.option("--yes", is_flag=True, help="Answer yes to what would be asked."),
)


def confirm(context: Context, loss: str, *, yes: bool) -> None:
    """Say what would be lost and ask whether that is wanted; ``yes`` was said already.

    Raises:
        UsageError: nobody can be asked.
        click.Abort: it is not wanted.
    """
    if yes:
        context.say(loss)
        return
    if not sys.stdin.isatty():
        raise UsageError(loss, hint="nobody can be asked here: --yes says that this is meant")
    click.confirm(f"{loss}\nContinue?", abort=True, err=True)
