"""What ``Chart.yaml`` says, as Helm takes it.

Source: Helm's Metadata (pkg/chart/metadata.go), whose fields are texts, read by way of JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXTS = ("name", "version", "appVersion", "kubeVersion", "description", "home", "icon")
_DEPENDENCY_TEXTS = ("name", "version", "alias")
_EXACT = 1e15  # below it a number without a fraction is written without an exponent


def as_helm_reads(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same with texts where somebody wrote a number without quotes: 1.10 is ``1.1``, 2.0 is ``2``."""
    dependencies = document.get("dependencies")
    if isinstance(dependencies, list):
        document = {**document, "dependencies": [_dependency(each) for each in dependencies]}
    return _texts(document, _TEXTS)


def _dependency(entry: Any) -> Any:
    return _texts(entry, _DEPENDENCY_TEXTS) if isinstance(entry, Mapping) else entry


def _texts(document: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: _text(value) if key in keys else value for key, value in document.items()}


def _text(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return str(value)
