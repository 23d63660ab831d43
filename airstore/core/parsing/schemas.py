"""Where the JSON Schemas in ``schemas/`` are read from."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGED = Path(__file__).parents[2] / "schemas"  # in an installed wheel
_SOURCE = Path(__file__).parents[3] / "schemas"  # in a checkout


@cache
def load_schema(name: str) -> dict[str, Any]:
    """The schema ``schemas/NAME.schema.json``."""
    directory = _PACKAGED if _PACKAGED.is_dir() else _SOURCE
    document: dict[str, Any] = json.loads((directory / f"{name}.schema.json").read_bytes())
    return document
