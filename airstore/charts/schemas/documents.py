"""The schemas that a release brings along because its charts refer to them by URL.

Their form in the tree is that of schemas/values-schema.schema.json.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airstore.core.errors import DamagedError
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.core.parsing.schema import check_json

DIRECTORY = "schemas/"
"""Where they are in the tree of a release."""

_API_VERSION = "airstore/v1"
_KIND = "ValuesSchema"
_UNTOLD = re.compile(r"[^A-Za-z0-9._]+")
_NAMED = 100  # characters of a URL that a file's name tells
_TOLD_APART = 12  # hex digits of its digest, for the rest


@dataclass(frozen=True, eq=False)
class SchemaDocuments:
    """Schemas by the URL, without a fragment, that they were read from."""

    by_url: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def files(self) -> dict[str, bytes]:
        """One file each, by its path in the tree of a release."""
        return {
            DIRECTORY + _file_name(url): strictjson.dumps(
                {"apiVersion": _API_VERSION, "kind": _KIND, "url": url, "schema": document}
            )
            for url, document in self.by_url.items()
        }

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> SchemaDocuments:
        """What `files` wrote.

        Args:
            files: path to content.

        Raises:
            DamagedError: a file is no such document, or two are of one URL.
        """
        found: dict[str, Any] = {}
        for path, data in files.items():
            document = strictjson.load_object(data, path, LIMITS.history_file)
            check_json(document, "values-schema", path)
            if found.setdefault(document["url"], document["schema"]) is not document["schema"]:
                raise DamagedError(f"{path}: another file is of {document['url']} as well")
        return cls(found)


NONE = SchemaDocuments()
"""No schema is brought along."""


def shown(url: str) -> str:
    """A URL for people: without user names, passwords and queries, which may be secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if not parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _file_name(url: str) -> str:
    told = _UNTOLD.sub("-", shown(url).partition("://")[2]).strip("-.")[-_NAMED:].lstrip("-.")
    return f"{told}-{hashlib.sha256(url.encode()).hexdigest()[:_TOLD_APART]}.json"
