"""What every command gets: the store, messages, progress."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airstore.cli.text import LAST_SECOND, printable
from airstore.core.errors import AirstoreError, NotTrustedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.location import absolute
from airstore.core.progress import QUIET, Progress

if TYPE_CHECKING:
    from airstore.ops.stores.directory import StoreDirectory


_COMMAND = re.compile(r"\bairstore(?= [a-z])")
_WARNED_DAYS = 30
_RENEW_HERE = "renew it: `airstore trust root create --expires 365d`, then `trust root sign`"
_RENEW = "get media that the publisher made since it was renewed, or the next root alone"


@frozen
class Context:
    """Global options, and the environment read once.

    Attributes:
        named: the store as the command line has it; the current directory by default.
        typed: somebody named it with ``-C``.
        connect: tells a store how its remotes are reached, where it has some.
        bars: progress bars are wanted; they still need a terminal.
    """

    named: Path
    quiet: bool
    bars: bool
    json_log: bool
    connect: Callable[[StoreDirectory], StoreDirectory] = lambda store: store
    typed: bool = False

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

        return self.connect(open_directory(self.store_path))

    def store(self, side: str = "", what: str = "this command", *, current: bool = False) -> StoreDirectory:
        """Open the store; with ``side``, refuse that of the other one.

        Args:
            side: publisher or site.
            what: the command, for the error.
            current: refuse an expired trust root: the command makes something new, or brings it into use.
                The others warn, for a cluster must be looked after, and rolled back, whatever the date is.
        """
        if side:
            self._opened.require(side, what)
        if self._expired and current:
            raise self._expired
        return self._opened

    @cached_property
    def _expired(self) -> NotTrustedError | None:
        """Whether the store's trust root has expired; said once a command, and 30 days ahead.

        A root that cannot be read is named by whoever needs it.
        """
        try:
            root = self._opened.trust_root()
        except AirstoreError:
            return None
        now = system_now()
        try:
            root.check_expiry(now)
        except NotTrustedError as fault:
            if self._opened.side == "publisher":
                fault.hint = _RENEW_HERE
            self.say(f"warning: {fault}; {fault.hint}")
            return fault
        left = root.days_left(now)
        if left is not None and left < _WARNED_DAYS:
            renew = _RENEW_HERE if self._opened.side == "publisher" else _RENEW
            self.say(f"warning: trust root {root.version} of {root.product} expires in {left} days; {renew}")
        return None

    def say(self, message: str) -> None:
        """A message for people, on standard error; data goes to standard output."""
        if self.quiet:
            return
        if self.json_log:
            click.echo(json.dumps({"level": "info", "message": message}), err=True)
        else:
            click.echo(printable(message), err=True)

    def next(self, message: str) -> None:
        """As `say`: what to do now; commands of airstore in it name the store as it was named."""
        here = shlex.join(["airstore", "-C", str(self.named)]) if self.typed else "airstore"
        self.say(f"next: {re.sub(_COMMAND, lambda _: here, message)}")

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
        """Seconds since the epoch; at a publisher ``SOURCE_DATE_EPOCH`` pins it for reproducible commits.

        A site's clock says what has expired: no variable of the environment moves it.

        Raises:
            UsageError: the variable is not such a number.
        """
        pinned = os.environ.get("SOURCE_DATE_EPOCH")
        if not pinned or self._opened.side == "site":
            return int(system_time())
        if not (pinned.isascii() and pinned.isdigit() and int(pinned[:20]) <= LAST_SECOND):
            raise UsageError(f"SOURCE_DATE_EPOCH must be seconds since the epoch, not {pinned[:40]!r}")
        return int(pinned)


def system_time() -> float:
    """The machine's clock: seconds since the epoch."""
    return time.time()


def system_now() -> datetime:
    """The same as a moment, in UTC."""
    return datetime.fromtimestamp(system_time(), UTC)


pass_context = click.make_pass_decorator(Context)
