"""Package URLs: which manager's package, by the name that the manager itself uses.

Source: the package-url specification, its types and percent-encoding.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from airstore.ops.review.databases import Package

# As the image's own databases are called, so that both can be compared.
_MANAGERS = {"deb": "dpkg", "pypi": "pip"}
_OF_DISTRIBUTIONS = frozenset({"deb", "apk", "rpm", "alpm"})  # their namespace is the distribution's name
_FORM = re.compile(r"pkg:/*([A-Za-z][A-Za-z0-9.+-]*)/([^?#]+)")


def package_of(purl: str) -> Package | None:
    """The package of ``pkg:TYPE/NAMESPACE/NAME@VERSION``; None where it is no such URL."""
    found = _FORM.match(purl)
    if not found:
        return None
    kind, path = found[1].lower(), found[2]
    # Not the @ of an npm scope that somebody forgot to encode.
    name, _, version = path.rpartition("@") if "@" in path.rpartition("/")[2][1:] else (path, "", "")
    parts = [unquote(part) for part in name.split("/") if part]
    if not parts:
        return None
    name = parts[-1] if kind in _OF_DISTRIBUTIONS else "/".join(parts)
    if kind == "pypi":
        name = re.sub(r"[-_.]+", "-", name).lower()
    return Package(_MANAGERS.get(kind, kind), name, unquote(version))
