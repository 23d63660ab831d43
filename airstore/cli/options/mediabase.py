"""What media start from: the releases that sites hold, and their receipts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_Command = Callable[..., Any]


def base_options(release: str, receipt: str) -> Callable[[_Command], _Command]:
    """Give a command the options ``--from`` and ``--receipt``, as ``base_versions`` and ``receipts``.

    Args:
        release: the help of the first.
        receipt: the help of the second.
    """
    since = click.option("--from", "base_versions", multiple=True, metavar="V", help=release)
    held = click.option(
        "--receipt",
        "receipts",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=receipt,
    )
    return lambda command: since(held(command))
