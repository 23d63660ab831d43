"""Objects of Kubernetes as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]
"""An object, or a part of one, that is only read."""

Manifest = dict[str, Any]
"""An object, or a part of one, that is being made."""
