r"""JSONPath as kubectl has it (k8s.io/client-go util/jsonpath), as far as one value is asked for.

``{.status.phase}``, ``{.status.conditions[?(@.type=="Ready")].status}``, ``{.metadata.labels.app\.name}``;
braces and ``$`` may be left out. Slices, unions, functions and ``range`` are refused, not misread. Libraries
follow RFC 9535, which has neither the leading dot nor ``\.``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airstore.core.errors import UsageError
from airstore.core.frozen import frozen

_NAME = re.compile(r"(?:\\.|[^\\.\[\]{}()'\"\s?*@$,:=<>!])+")
_INDEX = re.compile(r"\[\s*(-?[0-9]{1,9})\s*\]")
_KEY = re.compile(r"""\[\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")\s*\]""")
_FILTER = re.compile(r"\[\?\(\s*@")
_COMPARED = re.compile(
    r"""\s*(==|!=|<=|>=|<|>)\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|(-?[0-9]+(?:\.[0-9]+)?)|(true|false))\s*"""
)
_LONGEST = 1024
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_Select = Callable[[Any], Iterator[Any]]


@frozen
class JsonPath:
    """A path, ready to be followed.

    Attributes:
        text: as it was written.
    """

    text: str
    _steps: tuple[_Select, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Read a path.

        Raises:
            UsageError: it is none, or needs what is not supported.
        """
        inner = text.strip()
        if inner.startswith("{") and inner.endswith("}"):
            inner = inner[1:-1].strip()
        if len(text) > _LONGEST:
            raise UsageError(f"a JSONPath may have {_LONGEST} characters")
        start = 1 if inner.startswith("$") else 0
        reader = _PathReader(inner, start)
        steps = tuple(reader.steps())
        if reader.at < len(inner) or not inner:
            raise UsageError(
                f"not a JSONPath that is understood here: {text!r}, from {inner[reader.at :][:40]!r} on",
                hint="write it as for `kubectl wait`: {.status.phase}",
            )
        return cls(text, steps)

    def find(self, document: Any) -> list[Any]:
        """Every value that the path leads to; none where it leads nowhere."""
        found = [document]
        for select in self._steps:
            found = [value for each in found for value in select(each)]
        return found


def as_text(value: Any) -> str:
    """A value as kubectl compares it: in words, whatever its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class _PathReader:
    def __init__(self, text: str, at: int) -> None:
        self.text, self.at = text, at

    def steps(self) -> Iterator[_Select]:
        """Steps for as long as there are any."""
        while (step := self._step()) is not None:
            yield step

    def _step(self) -> _Select | None:
        before = self.at
        if self._take(".."):
            if (name := self._name()) is not None:
                return _deep(name)
            self.at = before
            return None
        if self._take(".*") or self._take("[*]"):
            return _all
        if self._take("."):
            if (name := self._name()) is not None:
                return _field(name)
            if before == 0 and self.at == len(self.text):
                return _itself  # ``{.}``
            self.at = before
            return None
        return self._bracket()

    def _bracket(self) -> _Select | None:
        if found := self._match(_INDEX):
            return _item(int(found[1]))
        if found := self._match(_KEY):
            return _field(_plain(found[1] if found[1] is not None else found[2]))
        before = self.at
        if not self._match(_FILTER):
            return None
        steps = tuple(self.steps())
        wanted = self._match(_COMPARED)
        if not self._take(")]"):
            self.at = before
            return None
        return _where(steps, _comparison(wanted) if wanted else None)

    def _name(self) -> str | None:
        found = self._match(_NAME)
        return _plain(found[0]) if found else None

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found

    def _take(self, text: str) -> bool:
        taken = self.text.startswith(text, self.at)
        self.at += len(text) if taken else 0
        return taken


def _comparison(found: re.Match[str]) -> Callable[[Any], bool]:
    sign, single, double, number, word = found.groups()
    compare = _COMPARISONS[sign]
    if number is not None:
        wanted = float(number)
        return lambda value: type(value) in {int, float} and compare(float(value), wanted)
    if word is not None:
        return lambda value: isinstance(value, bool) and compare(value, word == "true")
    text = _plain(single if single is not None else double)
    return lambda value: isinstance(value, str) and compare(value, text)


def _where(steps: tuple[_Select, ...], holds: Callable[[Any], bool] | None) -> _Select:
    path = JsonPath("", steps)

    def select(value: Any) -> Iterator[Any]:
        for each in value if isinstance(value, list) else ():
            found = path.find(each)
            if found and (holds is None or holds(found[0])):
                yield each

    return select


def _field(name: str) -> _Select:
    def select(value: Any) -> Iterator[Any]:
        if isinstance(value, Mapping) and name in value:
            yield value[name]

    return select


def _item(index: int) -> _Select:
    def select(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return select


def _all(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _itself(value: Any) -> Iterator[Any]:
    yield value


def _deep(name: str) -> _Select:
    def select(value: Any) -> Iterator[Any]:
        if isinstance(value, Mapping) and name in value:
            yield value[name]
        for inner in _all(value):
            yield from select(inner)

    return select


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
