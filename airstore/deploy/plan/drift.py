"""How a live object differs from what the API server would make of it if it were installed again. Pure.

The server itself says what a manifest comes to: defaults, quantities in another form and what webhooks add
are on both sides, and so are no drift. Fields that the manifest does not name stay as they are, and so are
none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airstore.core.kube.documents import Document

# What the server keeps of its own; an installation changes it or not, and it is no drift.
_SERVERS = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}
)
_NAMES = ("name", "containerPort", "port", "mountPath", "key", "type", "host", "path", "ip")
_HIDDEN = "another value than was installed"


def differences(live: Document, predicted: Document) -> Iterator[str]:
    """Fields whose live value would change, with both values; values of Secrets are not shown."""
    secret = live.get("kind") == "Secret"
    for key in sorted({*live, *predicted} - {"status"}):
        one, other = _own(key, live), _own(key, predicted)
        if secret and key in {"data", "stringData"}:
            yield from _hidden(one or {}, other or {}, key)
        else:
            yield from _compare(one, other, key)


def _own(key: str, document: Document) -> Any:
    value = document.get(key)
    if key == "metadata" and isinstance(value, Mapping):
        return {name: each for name, each in value.items() if name not in _SERVERS}
    return value


def _hidden(live: Mapping[str, Any], predicted: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in sorted({*live, *predicted}):
        if live.get(key) != predicted.get(key):
            yield f"{path}.{key}: {'absent' if key not in live else _HIDDEN}"


def _compare(live: Any, predicted: Any, path: str) -> Iterator[str]:
    if live == predicted:
        return
    if isinstance(live, Mapping) and isinstance(predicted, Mapping):
        for key in sorted({*live, *predicted}):
            yield from _compare(live.get(key), predicted.get(key), f"{path}.{key}")
    elif isinstance(live, list) and isinstance(predicted, list):
        yield from _compare_lists(live, predicted, path)
    else:
        yield f"{path}: {_short(live)} instead of {_short(predicted)}"


def _compare_lists(live: Sequence[Any], predicted: Sequence[Any], path: str) -> Iterator[str]:
    for index, value in enumerate(predicted):
        key = _name(value)
        named = next((each for each in live if key and _name(each) == key), None)
        other = named if key else live[index] if index < len(live) else None
        yield from _compare(other, value, f"{path}[{key[1] if key else index}]")
    if len(live) != len(predicted):
        yield f"{path}: {len(live)} entries instead of {len(predicted)}"


def _name(value: Any) -> tuple[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    return next(((field, value[field]) for field in _NAMES if field in value), None)


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
