"""Sizes and shares as people write them."""

from __future__ import annotations

import re

import click

_GRAMMAR = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(B|iB)?", re.IGNORECASE)


class Size(click.ParamType[int]):
    """Bytes: ``4G`` and ``4GiB`` count by 1024, ``4.7GB`` by 1000, as GNU coreutils do."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType.convert`."""
        if isinstance(value, int):
            return value
        found = _GRAMMAR.fullmatch(str(value).strip())
        if not found:
            self.fail(f"{value!r} is no size; write 4G, 700M or 4.7GB", param, ctx)
        number, unit, suffix = found.groups()
        step = 1000 if (suffix or "").lower() == "b" else 1024
        return int(float(number) * step ** " KMGT".index(unit.upper() or " "))


class Percent(click.ParamType[float]):
    """A share: ``10%`` or ``10``."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See `click.ParamType.convert`."""
        try:
            return float(str(value).strip().removesuffix("%"))
        except ValueError:
            self.fail(f"{value!r} is no share; write 10%", param, ctx)
