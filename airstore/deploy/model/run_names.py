"""Names of runs: when each began, and something that nobody else has."""

from __future__ import annotations

import calendar
import re
import time

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_TIME, _STAMP = "%Y%m%dT%H%M%SZ", 16  # of a run's name, and its length


def run_name(began: int, suffix: str) -> str:
    """The name of a run.

    Args:
        began: seconds since the epoch.
        suffix: eight hex digits.
    """
    return f"{time.strftime(_TIME, time.gmtime(began))}-{suffix}"


def run_began(name: str) -> int | None:
    """When a run began, seconds since the epoch; None of what is no run's name."""
    if not _NAME.fullmatch(name):
        return None
    try:
        return calendar.timegm(time.strptime(name[:_STAMP], _TIME))
    except ValueError:
        return None
