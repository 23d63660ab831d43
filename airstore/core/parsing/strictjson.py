"""JSON for documents that are signed or come from outside: no duplicates, no NaN, bounded depth and size."""

import json
import math
from typing import Any, NoReturn

from airstore.core.errors import DamagedError
from airstore.core.limits import LIMITS


def loads(data: bytes, what: str, limit: int = LIMITS.json_document) -> Any:
    """Parse one UTF-8 JSON document.

    Raises:
        DamagedError: too large, not UTF-8, not JSON, duplicate keys, numbers or characters that could
            not be written again (NaN, 1e999, half a surrogate pair), nested too deep.
    """
    if len(data) > limit:
        raise DamagedError(f"{what} is {len(data)} bytes; at most {limit} are accepted")
    try:
        document = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constants,
            parse_float=_finite,
        )
        if b"\\u" in data:  # the only way to half a surrogate pair, which UTF-8 cannot hold
            json.dumps(document, ensure_ascii=False).encode()
    except (UnicodeDecodeError, ValueError, RecursionError) as fault:
        reason = "nested too deep" if isinstance(fault, RecursionError) else str(fault)
        raise DamagedError(f"{what} is not valid JSON: {reason}") from fault
    _check_depth(document, what)
    return document


def load_object(data: bytes, what: str, limit: int = LIMITS.json_document) -> dict[str, Any]:
    """Parse one document whose top level is an object.

    Raises:
        DamagedError: as `loads`, or the top level is something else.
    """
    document = loads(data, what, limit)
    if not isinstance(document, dict):
        raise DamagedError(f"{what} must be a JSON object")
    return document


def dumps(document: object) -> bytes:
    """Deterministic JSON, one item a line and keys sorted so that line diffs read well."""
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"duplicate key {twice!r}")
    return result


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _check_depth(document: Any, what: str) -> None:
    level = [document]
    for _ in range(LIMITS.json_depth):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise DamagedError(f"{what} is nested deeper than {LIMITS.json_depth} levels")


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
