"""Validation against the JSON Schemas in ``schemas/``."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from airstore.core import yamlfile
from airstore.core.errors import AirstoreError, DamagedError, UsageError

_PACKAGED = Path(__file__).parents[1] / "schemas"  # in an installed wheel
_SOURCE = Path(__file__).parents[2] / "schemas"  # in a checkout


def check_yaml(document: object, text: bytes, schema: str, name: str) -> None:
    """Validate a file that a person wrote; every fault is named with file, line and field.

    Raises:
        UsageError: with all faults, one a line.
    """

    def locate(path: list[str | int]) -> str:
        return f"{name}:{yamlfile.line_of(text, path)}"

    _check(document, schema, locate, UsageError)


def check_json(document: object, schema: str, name: str) -> None:
    """Validate a document that a program wrote.

    Raises:
        DamagedError: with all faults, one a line.
    """
    _check(document, schema, lambda _path: name, DamagedError)


@cache
def load_schema(name: str) -> dict[str, Any]:
    """The schema ``schemas/NAME.schema.json``."""
    directory = _PACKAGED if _PACKAGED.is_dir() else _SOURCE
    document: dict[str, Any] = json.loads((directory / f"{name}.schema.json").read_bytes())
    return document


def _check(
    document: object,
    schema: str,
    locate: Callable[[list[str | int]], str],
    family: type[AirstoreError],
) -> None:
    faults = sorted(_validator(schema).iter_errors(document), key=lambda fault: list(map(str, fault.path)))
    if faults:
        paths = [(list(fault.path), fault.message) for fault in faults[:20]]
        raise family("\n".join(f"{locate(path)}: {_field(path)}{message}" for path, message in paths))


@cache
def _validator(schema: str) -> Any:
    document = load_schema(schema)
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def _field(path: list[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return f"{text}: " if text else ""
