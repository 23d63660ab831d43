"""When something expires, as people write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

NEVER = "never"
_DAYS = re.compile(r"([1-9][0-9]{0,4})d")


class Expiry(click.ParamType[datetime | timedelta | str]):
    """A date, a moment in UTC, days from now as ``365d``, or ``never``."""

    name = "when"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta | str:
        """See `click.ParamType.convert`."""
        if isinstance(value, datetime | timedelta) or value == NEVER:
            return value
        text = str(value).strip()
        if found := _DAYS.fullmatch(text):
            return timedelta(days=int(found[1]))
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no date; write 2030-01-31, 365d or never", param, ctx)
        return when if when.tzinfo else when.replace(tzinfo=UTC)
