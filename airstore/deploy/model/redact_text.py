"""Secrets in texts of which nobody can be sure that they are YAML: templates, values with their comments."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airstore.deploy.model.redact import HIDDEN, SECRET, short_digest

_IS_SECRET = re.compile(r"^kind:\s*[\"']?Secret\b", re.MULTILINE)
_DOCUMENT = re.compile(r"^(?=---)", re.MULTILINE)
_LINE = re.compile(r"(?P<before>[ \t#-]*(?P<key>[\w.\"'/-]+)\s*:(?:[ \t]+|$))(?P<value>.*)")
_HARMLESS = re.compile(r"\s*(|\{\{.*\}\}|\[\s*\]|\{\s*\}|\"\"|''|~|null|true|false|[&*]\S+)\s*(#.*)?")
_BLOCK = re.compile(r"\s*[|>][-+0-9]*\s*(#.*)?")
_TEMPLATE = re.compile(r"\s*\{\{.*\}\}\s*")
_DATA = frozenset({"data", "stringData"})


def redact_lines(text: str) -> str:
    """The same text without secrets: what stands behind a key that sounds like one, and in a Secret's data.

    A value becomes a short digest, so that a change still shows. What is empty, a reference or an expression
    of a template stays.
    """
    done: list[str] = []
    for document in _DOCUMENT.split(text):
        walk = _Walk(is_secret=bool(_IS_SECRET.search(document)))
        done += [walk.line(line) for line in document.splitlines(keepends=True)]
    return "".join(done)


@dataclass
class _Walk:
    """The lines of one document.

    Attributes:
        data: column of the Secret's ``data`` that the walk is in; -1 elsewhere.
        block: column of the key whose value goes on below it; -1 elsewhere.
    """

    is_secret: bool
    data: int = -1
    block: int = -1

    def line(self, line: str) -> str:
        """The next one, as it may be shown."""
        column = len(line) - len(line.lstrip(" \t#"))
        if not line.strip() or _TEMPLATE.fullmatch(line):
            return line
        self.data = self.data if column > self.data else -1
        self.block = self.block if column > self.block else -1
        text = line.rstrip("\r\n")
        ending = line[len(text) :]
        if self.block >= 0:
            return f"{line[:column]}{HIDDEN}{ending}"
        found = _LINE.fullmatch(text)
        return self._entry(found, column) + ending if found else line

    def _entry(self, found: re.Match[str], column: int) -> str:
        key, value = found["key"].strip("\"'"), found["value"]
        if self.is_secret and key in _DATA:
            self.data = column
            return found[0]
        if self.data < 0 and not SECRET.search(key):
            return found[0]
        if _BLOCK.fullmatch(value):
            self.block = column
            return found[0]
        if _HARMLESS.fullmatch(value):
            return found[0]
        return found["before"] + short_digest("", key, value.strip())
