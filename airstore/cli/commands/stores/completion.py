"""``airstore completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from airstore.core.errors import UsageError

_VARIABLE = "_AIRSTORE_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    For this session: eval "$(airstore completion bash)"; for good, put that line into ~/.bashrc.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"{shell} is not supported")
    click.echo(kind(ctx.find_root().command, {}, "airstore", _VARIABLE).source())
