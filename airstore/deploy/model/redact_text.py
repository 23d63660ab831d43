"""Secrets in texts of which nobody can be sure that they are YAML: templates, values with their comments."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airstore.deploy.model.redact import HIDDEN, SECRET, page_mark

_IS_SECRET = re.compile(r"^[ \t-]*[\"']?kind[\"']?:\s*[\"']?Secret\b|\{\s*kind:\s*Secret\b", re.MULTILINE)
_DOCUMENT = re.compile(r"^(?=---)", re.MULTILINE)
_LINE = re.compile(r"(?P<before>[ \t#-]*(?P<key>[\w.\"'/-]+)\s*:(?:[ \t]+|$))(?P<value>.*)")
_HARMLESS = re.compile(r"\s*(|\[\s*\]|\{\s*\}|\"\"|''|~|null|true|false|[&*]\S+)\s*(#.*)?")
_BLOCK = re.compile(r"\s*[|>][-+0-9]*\s*(#.*)?")
_DATA = frozenset({"data", "stringData"})

# Expressions of templates; the texts in them, unless they name another template or say what is wrong.
_EXPRESSION = re.compile(r"\{\{.*?\}\}")
_LITERAL = re.compile(r"(?<!include )(?<!template )(?<!required )(?<!printf )(\"(?:[^\"\\]|\\.)+\"|`[^`]+`)")

# Anywhere in a line: `--db-password=X`, `export TOKEN="X"`, `{user: a, apiKey: X}`, `"secret": "X"`.
_INLINE = re.compile(
    r"(?<![\w.-])(?P<before>(?P<key>[\w.-]++)[\"']?\s*[:=]\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&\"'{}\[\]()]+)"
)
_NAMED = re.compile(
    r"(?P<before>\bname[\"']?\s*:\s*[\"']?(?P<key>[\w.-]++)[\"']?\s*,\s*[\"']?value[\"']?\s*:\s*)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s,}]+)"
)
_REFERENCE = re.compile(r"[\"']*(\$|\(redacted|true\b|false\b|null\b|[\"']?$)")
_USER = re.compile(r"(?<=://)(?P<user>[^\s/:@\"'{}]*):(?P<word>[^\s/@\"'{}$][^\s/@\"'{}]*)@")
_LONGEST = 10_000  # characters of a line that anybody reads: such as a dashboard in JSON, all in one
_KEY_BEGINS, _KEY_ENDS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"), "-----END "


def redact_lines(text: str) -> str:
    """The same text without secrets.

    A secret is what stands behind a name that sounds like one, in a Secret's data, in an address before its
    host, and a private key. It becomes a mark (`page_mark`), so that a change still shows. What is empty, a
    reference or an expression of a template stays.
    """
    done: list[str] = []
    for document in _DOCUMENT.split(text):
        walk = _TextWalk(is_secret=bool(_IS_SECRET.search(document)))
        done += [walk.line(line) for line in document.splitlines(keepends=True)]
    return "".join(done)


def redact_diff(diff: str) -> str:
    """The same for a unified diff, whose lines begin with a column of their own."""
    lines = diff.split("\n")
    shown = redact_lines("\n".join(line[1:] for line in lines)).split("\n")
    return "\n".join(line[:1] + text for line, text in zip(lines, shown, strict=True))


@dataclass
class _TextWalk:
    """The lines of one document.

    Attributes:
        data: column of the Secret's ``data`` that the walk is in; -1 elsewhere.
        block: column of the key whose value goes on below it; -1 elsewhere.
        named: column of ``name: SOMETHING_SECRET``, whose ``value`` follows; -1 elsewhere.
        in_key: within a private key.
    """

    is_secret: bool
    data: int = -1
    block: int = -1
    named: int = -1
    in_key: bool = False

    def line(self, line: str) -> str:
        """The next one, as it may be shown."""
        text = line.splitlines()[0]
        if not text.strip():
            return line
        column = len(text) - len(text.lstrip(" \t#"))
        self.data = self.data if column > self.data else -1
        self.block = self.block if column > self.block else -1
        return self._shown(text, column) + line[len(text) :]

    def _shown(self, text: str, column: int) -> str:
        if len(text) > _LONGEST:
            return f"{text[: min(column, 80)]}{len(text)} characters in one line {page_mark('', '', text)}"
        if self.block >= 0 and not _is_template(text):
            return f"{text[:column]}{HIDDEN}"
        if self.in_key or _KEY_BEGINS.search(text):
            self.in_key = _KEY_ENDS not in text
            return f"{text[:column]}{HIDDEN}"
        if found := _LINE.fullmatch(text):
            return self._entry(found, column)
        if self.data < 0:
            return _inline(text)
        return _without_literals(text) if _is_template(text) else f"{text[:column]}{HIDDEN}"

    def _entry(self, found: re.Match[str], column: int) -> str:
        key, value = found["key"].strip("\"'"), found["value"]
        if self.is_secret and key in _DATA and not value.strip():
            self.data = column
            return found[0]
        if not self._hides(key, value, found.start("key")):
            return found["before"] + _inline(value)
        if _BLOCK.fullmatch(value):
            self.block = column
            return found[0]
        if _HARMLESS.fullmatch(value):
            return found[0]
        if _is_template(value):
            return found["before"] + _without_literals(value)
        return found["before"] + page_mark("", key, value.strip())

    def _hides(self, key: str, value: str, column: int) -> bool:
        """Whether what stands behind a key is a secret; a list's dash is no part of its column."""
        of_name = key == "value" and column == self.named
        self.named = column if key == "name" and SECRET.search(value.strip(" \"'")) else self.named
        self.named = -1 if of_name else self.named
        of_secret = self.data >= 0 or (self.is_secret and key in _DATA)
        return of_name or of_secret or bool(SECRET.search(key))


def _is_template(value: str) -> bool:
    """Nothing but expressions, quoted or not."""
    return "{{" in value and not _EXPRESSION.sub("", value.partition(" #")[0]).strip(" \t\"'-:")


def _without_literals(value: str) -> str:
    return _EXPRESSION.sub(lambda found: _LITERAL.sub(_hidden_literal, found[0]), value)


def _hidden_literal(found: re.Match[str]) -> str:
    return f'"{page_mark("", "", found[1])}"'


def _inline(text: str) -> str:
    text = _USER.sub(lambda found: f"{found['user']}:{HIDDEN}@", text)
    return _INLINE.sub(_hidden_inline, _NAMED.sub(_hidden_inline, text))


def _hidden_inline(found: re.Match[str]) -> str:
    if not SECRET.search(found["key"]) or _REFERENCE.match(found["value"]):
        return found[0]
    return found["before"] + page_mark("", found["key"], found["value"])
