"""Options that come as a bunch, and reach the command as one value."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def gathered(name: str, make: Callable[..., object], *options: Decorator) -> Decorator:
    """A decorator that adds these options to a command, in this order.

    Args:
        name: the argument that the command gets in place of theirs.
        make: makes it, called with the options' own arguments by name.
        options: what `click.option` gives.
    """
    own = [str(parameter.name) for parameter in _parameters(options)]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def gathering(*arguments: Any, **named: Any) -> Any:
            value = make(**{key: named.pop(key) for key in own})
            return command(*arguments, **{name: value}, **named)

        decorated: Callable[..., Any] = gathering
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def _parameters(options: tuple[Decorator, ...]) -> list[click.Parameter]:
    # click keeps what its decorators declare on the function, and tells it of commands only.
    @click.command()
    def bare() -> None: ...

    for option in options:
        option(bare)
    return bare.params
