"""What ``-o json`` prints, held against its schema by whoever reads it in a test."""

from __future__ import annotations

import json
from typing import Any

from airstore.core.parsing import schema


def said(text: str) -> Any:
    """The document's fields, or its items where it is a listing; another program's document as it is."""
    document = json.loads(text)
    named = document.get("schema", "") if isinstance(document, dict) else ""
    if not named.startswith("airstore/"):
        return document
    checked(document)
    fields = {key: value for key, value in document.items() if key != "schema"}
    return fields["items"] if fields.keys() == {"items"} else fields


def checked(document: dict[str, Any]) -> str:
    """Name of the schema that a document names, and is of."""
    program, name, version = document["schema"].split("/")
    assert (program, version) == ("airstore", "v1")
    schema.check_json(document, f"output/{name}", f"what is printed as {name}")
    return str(name)
