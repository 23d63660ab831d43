"""What is wrong with a document, as JSON Schema's own validator finds it and as people understand it.

Apart from `airstore.core.parsing.schema`: the library takes a tenth of a second to load, and documents that
are right, which most are, do without.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
from jsonschema import validators

from airstore.core.parsing.schemas import load_schema

FieldPath = list[str | int]


def find_faults(document: object, schema: str) -> list[tuple[FieldPath, str]]:
    """Every fault with where it is and what it is; none in a document that conforms to the schema."""
    found = sorted(validator(schema).iter_errors(document), key=lambda fault: list(map(str, fault.path)))
    faults = dict.fromkeys((tuple(path), message) for fault in found for path, message in _explain(fault))
    return [(list(path), f"{_field(list(path))}{message}") for path, message in faults]


@cache
def validator(schema: str) -> Any:
    """The library's, for one of our schemas."""
    # That it is a schema is tested; checking it here costs every command 0.1 s.
    return STRICT(load_schema(schema))


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """As JSON Schema means it: Python's ``$`` would also match before a final newline."""
    if isinstance(value, str) and ("\n" in value or not re.search(pattern, value)):
        yield jsonschema.ValidationError("")


# 1.0 is an integer to JSON Schema; as a float it would come out of a round trip as another document.
_INTEGERS = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _checker, value: type(value) is int
)
STRICT: Any = validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _pattern}, type_checker=_INTEGERS
)


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
