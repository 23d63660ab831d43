"""Whether a document surely conforms to a schema: a quick yes, or no answer. Pure.

`jsonschema` takes a tenth of a second to load, in every command, and most documents are as they should be.
What is here knows the keywords that our schemas have (JSON Schema 2020-12, core and validation). Where it
meets another one, or cannot say yes for certain, it says no, and the library is asked: that alone refuses a
document, and says why. A test holds the two to each other, with schemas and documents that are made up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]
_Rule = Callable[[Any, Any, Schema, Schema], bool]  # of a value, the keyword's own, its schema, the whole one

# By exact type: neither is True an integer, nor is 1.0.
_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description"})
_LOCAL = "#/$defs/"


def conforms(value: object, schema: Schema | bool, root: Schema | None = None) -> bool:
    """True only where the library would find no fault; False says nothing.

    Args:
        value: as JSON or YAML have it.
        schema: what it has to conform to.
        root: the schema that its references are in; None for itself.
    """
    if isinstance(schema, bool):
        return schema
    whole = schema if root is None else root
    for keyword, said in schema.items():
        if keyword not in _ANNOTATIONS:
            rule = _RULES.get(keyword)
            if rule is None or not rule(value, said, schema, whole):
                return False
    return True


def _type(value: Any, said: Any, _schema: Schema, _root: Schema) -> bool:
    names = [said] if isinstance(said, str) else said
    return type(value) in [_TYPES.get(name) for name in names]


def _ref(value: Any, said: Any, _schema: Schema, root: Schema) -> bool:
    target = root.get("$defs", {}).get(said.removeprefix(_LOCAL)) if said.startswith(_LOCAL) else None
    return target is not None and conforms(value, target, root)


def _const(value: Any, said: Any, _schema: Schema, _root: Schema) -> bool:
    return type(value) is type(said) and not isinstance(said, dict | list | float) and bool(value == said)


def _enum(value: Any, said: Any, schema: Schema, root: Schema) -> bool:
    return any(_const(value, each, schema, root) for each in said)


def _pattern(value: Any, said: Any, _schema: Schema, _root: Schema) -> bool:
    """See `airstore.core.parsing.faults`: Python's ``$`` would also match before a final newline."""
    return not isinstance(value, str) or ("\n" not in value and re.search(said, value) is not None)


def _items(value: Any, said: Any, _schema: Schema, root: Schema) -> bool:
    return not isinstance(value, list) or all(conforms(each, said, root) for each in value)


def _unique(value: Any, said: Any, _schema: Schema, _root: Schema) -> bool:
    """Of texts; whether other values are equal is the library's to say."""
    if not said or not isinstance(value, list):
        return True
    return all(type(each) is str for each in value) and len(set(value)) == len(value)


def _properties(value: Any, said: Any, _schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    return all(conforms(value[name], each, root) for name, each in said.items() if name in value)


def _additional(value: Any, said: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    return all(conforms(each, said, root) for name, each in value.items() if name not in known)


def _names(value: Any, said: Any, _schema: Schema, root: Schema) -> bool:
    return not isinstance(value, dict) or all(conforms(name, said, root) for name in value)


def _required(value: Any, said: Any, _schema: Schema, _root: Schema) -> bool:
    return not isinstance(value, dict) or all(name in value for name in said)


def _dependent(value: Any, said: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    return all(_required(value, needed, schema, root) for given, needed in said.items() if given in value)


def _any_of(value: Any, said: Any, _schema: Schema, root: Schema) -> bool:
    return any(conforms(value, each, root) for each in said)


def _if(value: Any, said: Any, schema: Schema, root: Schema) -> bool:
    """Where the condition is about required fields alone, for of that a no is sure, too."""
    if not isinstance(said, dict) or set(said) != {"required"}:
        return False
    branch = "then" if conforms(value, said, root) else "else"
    return conforms(value, schema.get(branch, True), root)


def _branch(_value: Any, _said: Any, schema: Schema, _root: Schema) -> bool:
    """Nothing without its ``if``, which looks at it."""
    return "if" in schema


def _bound(kind: type | tuple[type, ...], holds: Callable[[Any, Any], bool]) -> _Rule:
    """A rule about values of a kind, and about no others."""
    return lambda value, said, _schema, _root: not isinstance(value, kind) or holds(value, said)


def _least(value: Any, said: Any) -> bool:
    return type(value) is bool or (type(value) is int and value >= said)


def _most(value: Any, said: Any) -> bool:
    return type(value) is bool or (type(value) is int and value <= said)


def _no_fewer(value: Any, said: Any) -> bool:
    return bool(len(value) >= said)


def _no_more(value: Any, said: Any) -> bool:
    return bool(len(value) <= said)


_RULES: dict[str, _Rule] = {
    "type": _type,
    "$ref": _ref,
    "const": _const,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _bound((int, float), _least),
    "maximum": _bound((int, float), _most),
    "minLength": _bound(str, _no_fewer),
    "maxLength": _bound(str, _no_more),
    "minItems": _bound(list, _no_fewer),
    "maxItems": _bound(list, _no_more),
    "minProperties": _bound(dict, _no_fewer),
    "maxProperties": _bound(dict, _no_more),
    "items": _items,
    "uniqueItems": _unique,
    "properties": _properties,
    "propertyNames": _names,
    "additionalProperties": _additional,
    "required": _required,
    "dependentRequired": _dependent,
    "anyOf": _any_of,
    "if": _if,
    "then": _branch,
    "else": _branch,
}
