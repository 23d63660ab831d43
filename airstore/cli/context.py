"""What every command gets: the store, messages, progress."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airstore.cli.text import LAST_SECOND, printable
from airstore.core.errors import UsageError
from airstore.core.location import absolute
from airstore.core.progress import QUIET, Progress

if TYPE_CHECKING:
    from airstore.ops.stores.directory import StoreDirectory


@dataclass(frozen=True)
class Context:
    """Global options, and the environment read once.

    Attributes:
        named: the store as the command line has it; the current directory by default.
        bars: progress bars are wanted; they still need a terminal.
    """

    named: Path
    quiet: bool
    bars: bool
    json_log: bool

    @property
    def store_path(self) -> Path:
        """Absolute path of the store, which need not exist.

        Raises:
            NotFoundError: the current directory was deleted.
        """
        return absolute(self.named)

    @cached_property
    def _opened(self) -> StoreDirectory:
        """Once a command: with it goes what was verified."""
        from airstore.ops.stores.directory import open_directory  # noqa: PLC0415 - loads git and cryptography

        return open_directory(self.store_path)

    def store(self, side: str = "", what: str = "this command") -> StoreDirectory:
        """Open the store; with ``side``, refuse that of the other one."""
        if side:
            self._opened.require(side, what)
        return self._opened

    def say(self, message: str) -> None:
        """A message for people, on standard error; data goes to standard output."""
        if self.quiet:
            return
        if self.json_log:
            click.echo(json.dumps({"level": "info", "message": message}), err=True)
        else:
            click.echo(printable(message), err=True)

    def detail(self, message: str) -> None:
        """What is at work, for ``--verbose``; on standard error like other messages."""
        if self.json_log:
            click.echo(json.dumps({"level": "debug", "message": message}), err=True)
        else:
            click.echo(printable(message), err=True)

    @property
    def progress(self) -> Progress:
        """Bars on a terminal, nothing elsewhere."""
        shown = self.bars and not self.quiet and not self.json_log and sys.stderr.isatty()
        if not shown:
            return QUIET
        from airstore.cli.bars import Bars  # noqa: PLC0415 - rich is slow to load

        return Bars()

    def now(self) -> int:
        """Seconds since the epoch; ``SOURCE_DATE_EPOCH`` pins it for reproducible commits.

        Raises:
            UsageError: the variable is not such a number.
        """
        pinned = os.environ.get("SOURCE_DATE_EPOCH")
        if not pinned:
            return int(time.time())
        if not (pinned.isascii() and pinned.isdigit() and int(pinned[:20]) <= LAST_SECOND):
            raise UsageError(f"SOURCE_DATE_EPOCH must be seconds since the epoch, not {pinned[:40]!r}")
        return int(pinned)


pass_context = click.make_pass_decorator(Context)
