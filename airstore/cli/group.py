"""Groups of commands that know what somebody may have meant, and leaves that take ``-C`` too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context
from airstore.cli.loading import load
from airstore.cli.suggest import suggestions


class Group(click.Group):
    """A group that suggests names for unknown ones, and may import a command when it is asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places: dict[str, str] = {}

    def add_later(self, name: str, place: str) -> None:
        """A command whose module is imported when it is needed: ``MODULE:ATTRIBUTE``, below the commands."""
        self._places[name] = place

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group`."""
        return sorted({*super().list_commands(ctx), *self._places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group`."""
        if cmd_name not in self._places:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._places[cmd_name].partition(":")
        command: click.Command = getattr(load(f"airstore.cli.commands.{module}"), attribute)
        return with_store_option(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group`."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as fault:
            close = suggestions(args[0], self.list_commands(ctx)) if args else ""
            if not close or "No such command" not in fault.message or "Did you mean" in fault.message:
                raise
            raise click.UsageError(f"{fault.message} Did you mean {close}?", ctx) from fault


def with_store_option(command: click.Command) -> click.Command:
    """The command, and all below it, with ``-C`` after its name as well as before."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            with_store_option(inner)
    if not any("-C" in parameter.opts for parameter in command.params):
        command.params.append(
            click.Option(
                ["-C", "store_here"],
                type=click.Path(path_type=Path),
                hidden=True,  # it is the global option once more
                expose_value=False,
                callback=_name_store,
                help="The store, as before the command.",
            )
        )
    return command


def _name_store(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> Any:
    known = ctx.find_object(Context)
    if value is not None and known is not None:
        ctx.obj = replace(known, named=value, typed=True)
    return value
