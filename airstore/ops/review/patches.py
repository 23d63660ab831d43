"""The files of two releases that differ, as texts to fold away: charts, values, hooks, what is rendered."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from airstore.core.errors import AirstoreError
from airstore.core.frozen import frozen
from airstore.core.limits import KIB, MIB
from airstore.core.parsing import yamlfile
from airstore.deploy.model.redact import Redactor, secret_values
from airstore.deploy.model.redact_text import redact_lines
from airstore.deploy.plan.plan import normalise

GENERATED = frozenset({"release.json", "signatures/release.dsse.json"})
_SIDE = 512 * KIB  # bytes of one side of a file; comparing takes the square of its lines at worst
_ONE, _ALL = 64 * KIB, 2 * MIB  # characters that are shown of one file, of all: a page that people read
_RENDERED = "rendered/"

Read = Callable[[str], bytes]


@frozen
class FilePatch:
    """One file that differs.

    Attributes:
        status: ``added``, ``removed`` or ``changed``.
        added: lines that are new.
        removed: lines that are gone.
        text: a unified diff, secrets redacted; empty where there is nothing to show.
        note: why there is no text, or no more of it.
    """

    path: str
    status: str
    added: int
    removed: int
    text: str
    note: str = ""

    @property
    def group(self) -> str:
        """``charts``, ``values``, ``rendered``, ``hooks``, or the file itself."""
        return self.path.partition("/")[0]


def patches(old: Mapping[str, bytes], new: Mapping[str, bytes], names: Iterable[str]) -> list[FilePatch]:
    """Every file that differs, sorted by path; long texts are cut, those of charts before the others.

    Args:
        old: path to content; empty for a first release.
        new: the same of the newer release.
        names: of charts, Helm releases and the like: what is no secret even where a key says so.
    """
    differing = [path for path in sorted({*old, *new} - GENERATED) if old.get(path) != new.get(path)]
    redactor = _redactor([old, new], frozenset(names))
    left, found = _ALL, []
    for path in sorted(differing, key=lambda path: path.startswith("charts/")):
        patch = _patch(path, old.get(path), new.get(path), redactor)
        found.append(cut(patch, left))
        left -= len(found[-1].text)
    return sorted(found, key=lambda patch: patch.path)


def cut(patch: FilePatch, left: int = _ALL) -> FilePatch:
    """No more of its text than is read, in whole lines; ``left`` is what the page has room for."""
    most = min(_ONE, left)
    if len(patch.text) <= most:
        return patch
    text = patch.text[: patch.text.rfind("\n", 0, most) + 1]
    left = patch.text.count("\n") - text.count("\n")
    return replace(patch, text=text, note=f"{left} more lines are not shown: the page would be too long")


def _patch(path: str, old: bytes | None, new: bytes | None, redactor: Redactor) -> FilePatch:
    status = "added" if old is None else "removed" if new is None else "changed"
    sides = [each or b"" for each in (old, new)]
    if any(b"\0" in each for each in sides):
        return FilePatch(path, status, 0, 0, "", "not text")
    if any(len(each) > _SIDE for each in sides):
        return FilePatch(path, status, 0, 0, "", "not shown: it is too large")
    before, after = (_shown(path, each, redactor).splitlines(keepends=True) for each in sides)
    diff = list(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}"))
    body = diff[2:]
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in diff)
    return FilePatch(
        path,
        status,
        sum(line.startswith("+") for line in body),
        sum(line.startswith("-") for line in body),
        text,
        "" if text else "differs in what is redacted, or in the order of its entries, only",
    )


def _shown(path: str, data: bytes, redactor: Redactor) -> str:
    text = data.decode(errors="replace")
    if path.startswith(_RENDERED):
        documents = _documents(data)
        text = text if documents is None else normalise(documents)
    return redactor.text(redact_lines(text))


def _redactor(sides: Sequence[Mapping[str, bytes]], harmless: frozenset[str]) -> Redactor:
    secrets: set[str] = set()
    for path, data in ((path, data) for side in sides for path, data in side.items()):
        if path.startswith((_RENDERED, "values/")) or path.endswith(("/values.yaml", "/values.yml")):
            documents = _documents(data) or []
            secrets |= Redactor.of(documents).secrets | secret_values(documents)
    return Redactor(frozenset(secrets - harmless))


def _documents(data: bytes) -> list[object] | None:
    try:
        return yamlfile.load_manifests(data, "a file of the release")
    except AirstoreError:  # no YAML: it is shown line by line
        return None
