"""What a site adds to the vendor's values: bound variables and overrides."""

from __future__ import annotations

import re
from typing import Any

from airstore.charts.render import merge
from airstore.core.errors import UsageError
from airstore.core.release import HelmRelease
from airstore.core.site import SiteFile

_DOT = re.compile(r"(?<!\\)\.")


def site_values(helm: HelmRelease, site: SiteFile) -> dict[str, Any]:
    """Values of the site for one Helm release: bindings first, the site's own overrides on top.

    Raises:
        UsageError: a binding names a variable that the site file does not set, or two bindings collide.
    """
    values: dict[str, Any] = {}
    for path, name in helm.bind.items():
        _set(values, path, site.lookup(name))
    return merge(values, site.values.get(helm.name, {}))


def _set(values: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = (part.replace("\\.", ".") for part in _DOT.split(path))
    node = values
    for part in parents:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise UsageError(f"bind: {path!r} goes through {part!r}, which another binding sets to a value")
        node = child
    node[last] = value
