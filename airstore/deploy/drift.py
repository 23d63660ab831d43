"""How a live object differs from its manifest: only fields that the manifest names count. Pure.

The API server adds fields, and writes some values in another form (``1000m`` for ``1``); neither is drift.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
_FACTORS = {
    "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
_IGNORED = {"status"}
_REDACTED = "(redacted, sha256 "
_NAMES = ("name", "containerPort", "port", "mountPath", "key", "type", "host", "path", "ip")


def differences(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """Fields whose live value is another one than the manifest's, with both."""
    if wanted.get("kind") == "Secret":
        yield from _secret(wanted, live)
        return
    for key, value in wanted.items():
        if key not in _IGNORED:
            yield from _compare(value, live.get(key), key)


def _compare(wanted: Any, live: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, Mapping):
        inner = live if isinstance(live, Mapping) else {}
        for key, value in wanted.items():
            yield from _compare(value, inner.get(key), f"{path}.{key}")
    elif isinstance(wanted, list):
        yield from _compare_lists(wanted, live if isinstance(live, list) else [], path)
    elif not _same(wanted, live):
        yield f"{path}: {_short(live)} instead of {_short(wanted)}"


def _compare_lists(wanted: Sequence[Any], live: Sequence[Any], path: str) -> Iterator[str]:
    for index, value in enumerate(wanted):
        key = _name(value)
        named = next((each for each in live if key and _name(each) == key), None)
        other = named if key else live[index] if index < len(live) else None
        yield from _compare(value, other, f"{path}[{key[1] if key else index}]")
    if len(live) > len(wanted):
        yield f"{path}: {len(live)} entries instead of {len(wanted)}"


def _secret(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """Values are redacted; what can be seen is which keys there are."""
    keys = {key for part in ("data", "stringData") for key in wanted.get(part) or ()}
    for key in sorted(keys - set(live.get("data") or ())):
        yield f"data.{key}: absent"


def _name(value: Any) -> tuple[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    return next(((field, value[field]) for field in _NAMES if field in value), None)


def _same(wanted: Any, live: Any) -> bool:
    if wanted == live or (wanted in (None, "", False, 0) and live is None):
        return True
    if isinstance(wanted, str) and wanted.startswith(_REDACTED):
        return True
    one, other = _number(wanted), _number(live)
    return one is not None and one == other


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    match = _QUANTITY.fullmatch(str(value))
    return float(match[1]) * _FACTORS[match[2] or ""] if match else None


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
