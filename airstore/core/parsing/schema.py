"""Validation against the JSON Schemas in ``schemas/``."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema import validators

from airstore.core.errors import AirstoreError, DamagedError, UsageError
from airstore.core.parsing import yamlfile

_PACKAGED = Path(__file__).parents[2] / "schemas"  # in an installed wheel
_SOURCE = Path(__file__).parents[3] / "schemas"  # in a checkout
_SHOWN = 20  # faults named at once

FieldPath = list[str | int]


def check_yaml(document: object, text: bytes, schema: str, name: str) -> None:
    """Validate a file that a person wrote; every fault is named with file, line and field.

    Raises:
        UsageError: with all faults, one a line.
    """

    def locate(path: FieldPath) -> str:
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
    locate: Callable[[FieldPath], str],
    family: type[AirstoreError],
) -> None:
    found = sorted(_validator(schema).iter_errors(document), key=lambda fault: list(map(str, fault.path)))
    faults = dict.fromkeys((tuple(path), message) for fault in found for path, message in _explain(fault))
    if faults:
        shown = ((list(path), message) for path, message in islice(faults, _SHOWN))
        raise family("\n".join(f"{locate(path)}: {_field(path)}{message}" for path, message in shown))


@cache
def _validator(schema: str) -> Any:
    document = load_schema(
        schema
    )  # that it is a schema is tested; checking it here costs every command 0.1 s
    # 1.0 is an integer to JSON Schema; as a float it would come out of a round trip as another document
    integers = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _checker, value: type(value) is int
    )
    strict = validators.extend(  # type: ignore[no-untyped-call]
        jsonschema.Draft202012Validator, {"pattern": _pattern}, type_checker=integers
    )
    return strict(document)


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """As JSON Schema means it: Python's ``$`` would also match before a final newline."""
    if isinstance(value, str) and ("\n" in value or not re.search(pattern, value)):
        yield jsonschema.ValidationError("")


def _explain(fault: Any) -> Iterator[tuple[FieldPath, str]]:
    """One fault of the library as people understand it, with the path of what to change."""
    path, value = list(fault.absolute_path), fault.instance
    if fault.validator == "additionalProperties":
        known = fault.schema.get("properties", {})
        yield from (([*path, str(key)], _unknown(str(key), known)) for key in value if key not in known)
    elif fault.validator == "required":
        missing = [name for name in fault.validator_value if name not in value]
        yield path, f"{', '.join(map(repr, missing))} must be given"
    elif fault.validator == "pattern":
        yield path, f"{_shown(value)} is not {fault.schema.get('title', 'of the right form')}"
    elif fault.validator == "dependentRequired":
        for given, needed in fault.validator_value.items():
            missing = [name for name in needed if given in value and name not in value]
            if missing:
                yield path, f"with {given!r}, {', '.join(map(repr, missing))} must be given"
    elif fault.validator in {"minProperties", "maxProperties"} and "properties" in fault.schema:
        yield path, f"exactly one of {', '.join(fault.schema['properties'])} must be given"
    elif fault.validator == "type" and fault.validator_value == "string" and _is_scalar(value):
        yield path, f"{_shown(value)} is not text here; put it in quotes"
    elif fault.validator == "type" and value is None:
        yield path, f"nothing is given; {fault.validator_value} is expected"
    else:
        yield path, fault.message.replace(repr(value), _shown(value))


def _unknown(key: str, known: dict[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    return "unknown field" + (f"; did you mean {close[0]!r}?" if close else "")


def _is_scalar(value: object) -> bool:
    return value is not None and not isinstance(value, dict | list)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _field(path: FieldPath) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return f"{text}: " if text else ""
