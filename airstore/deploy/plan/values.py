"""What a site adds to the vendor's values: bound variables and overrides."""

from __future__ import annotations

import re
from typing import Any

from airstore.charts.rendering.render import merge
from airstore.core.errors import UsageError
from airstore.core.model.release import HelmRelease
from airstore.core.model.site import SiteFile

_DOT = re.compile(r"(?<!\\)\.")


def site_values(helm: HelmRelease, site: SiteFile) -> dict[str, Any]:
    """Values of the site for one Helm release: bindings first, the site's own overrides on top.

    Raises:
        UsageError: a binding names a variable that the site file does not set, or two bindings collide.
    """
    bound = {_parts(path): name for path, name in helm.bind.items()}
    for path in bound:
        for outer in (path[:length] for length in range(1, len(path))):
            if outer in bound:
                raise UsageError(f"bind: {'.'.join(outer)!r} and {'.'.join(path)!r} set the same value")
    values: dict[str, Any] = {}
    for path, name in bound.items():
        _set(values, path, site.lookup(name))
    return merge(values, site.values.get(helm.name, {}))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part.replace("\\.", ".") for part in _DOT.split(path))


def _set(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *parents, last = path
    for part in parents:
        values = values.setdefault(part, {})
    values[last] = value
