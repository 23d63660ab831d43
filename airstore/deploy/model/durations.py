"""Durations as Go and Helm write them."""

from __future__ import annotations

import re

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s|us|ns)")


def seconds(text: str) -> float:
    """``1h30m`` as seconds; the schema has refused anything that is not a duration."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
