"""What a person should know or decide: said aloud, and in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from airstore.cli.context import Context
from airstore.core.errors import UsageError
from airstore.core.notice import Notice


def say_notices(context: Context, notices: Sequence[Notice], *, strict: bool = False) -> None:
    """Say each notice.

    Raises:
        UsageError: there are some that ``strict`` does not allow.
    """
    refused = [notice for notice in notices if strict and notice.strict]
    for notice in notices:
        if notice not in refused:
            hint = f"; {notice.hint}" if notice.hint else ""
            context.say(f"{'warning' if notice.strict else 'note'}: {notice.message}{hint}")
    if refused:
        lines = [f"  {notice.message}" + (f"; {notice.hint}" if notice.hint else "") for notice in refused]
        count = "1 thing" if len(refused) == 1 else f"{len(refused)} things"
        raise UsageError("\n".join([f"--strict: {count} to decide:", *lines]))


def notice_fields(notices: Sequence[Notice], output: str) -> dict[str, Any]:
    """The field of a result; none in tables, for people have read them already."""
    if output == "table" or not notices:
        return {}
    return {"notices": [asdict(notice) for notice in notices]}
