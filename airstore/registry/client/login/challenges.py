"""``WWW-Authenticate``: a list of challenges, in one field or several (RFC 9110, 5.6 and 11.6.1); pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ITEM = re.compile(r'\s*((?:[^,"]|"(?:[^"\\]|\\.)*"?)+)')
_PARAMETER = re.compile(rf'({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|({_WORD})(?![^\s]))\s*')
_SCHEME = re.compile(rf"({_WORD})(?:\s+(.*))?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass
class Challenge:
    """One way of authenticating that a server offers.

    Attributes:
        scheme: in lower case, such as ``bearer``.
        parameters: names in lower case.
    """

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse_challenges(text: str) -> list[Challenge]:
    """Every challenge of a field value, in order; what is no challenge is passed over."""
    found: list[Challenge] = []
    for item in _items(text):
        parameter = _PARAMETER.fullmatch(item)
        if parameter is None:
            scheme = _SCHEME.fullmatch(item)
            if scheme is None:
                continue
            found.append(Challenge(scheme[1].lower()))
            parameter = _PARAMETER.fullmatch(scheme[2] or "")  # or a token68, which nobody here asks for
        if parameter and found:
            value = _ESCAPED.sub(r"\1", parameter[2]) if parameter[2] is not None else parameter[3]
            found[-1].parameters.setdefault(parameter[1].lower(), value)
    return found


def first_of_each(challenges: list[Challenge]) -> Mapping[str, Challenge]:
    """Scheme to the first challenge of it."""
    return {challenge.scheme: challenge for challenge in reversed(challenges)}


def _items(text: str) -> Iterator[str]:
    for match in _ITEM.finditer(text):
        if match[1].strip():
            yield match[1].strip()
