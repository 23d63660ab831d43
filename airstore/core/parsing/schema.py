"""Validation against the JSON Schemas in ``schemas/``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from airstore.core.errors import AirstoreError, DamagedError, UsageError
from airstore.core.parsing.conforming import conforms
from airstore.core.parsing.schemas import load_schema

__all__ = ["check_json", "check_yaml", "load_schema"]

_SHOWN = 20  # faults named at once

FieldPath = list[str | int]


def check_yaml(document: object, text: bytes, schema: str, name: str) -> None:
    """Validate a file that a person wrote; every fault is named with file, line and field.

    Raises:
        UsageError: with all faults, one a line.
    """

    def locate(path: FieldPath) -> str:
        from airstore.core.parsing import yamlfile  # noqa: PLC0415 - as what finds faults, below

        return f"{name}:{yamlfile.line_of(text, path)}"

    _check(document, schema, locate, UsageError)


def check_json(document: object, schema: str, name: str) -> None:
    """Validate a document that a program wrote.

    Raises:
        DamagedError: with all faults, one a line.
    """
    _check(document, schema, lambda _path: name, DamagedError)


def _check(
    document: object,
    schema: str,
    locate: Callable[[FieldPath], str],
    family: type[AirstoreError],
) -> None:
    if conforms(document, load_schema(schema)):
        return
    from airstore.core.parsing.faults import find_faults  # noqa: PLC0415 - its library takes 0.1 s to load

    faults = find_faults(document, schema)
    if faults:
        shown = islice(faults, _SHOWN)
        raise family("\n".join(f"{locate(path)}: {message}" for path, message in shown))
