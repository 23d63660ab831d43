"""A release in short: what indexes, receipts and the trust state say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest


@frozen
class ReleaseId:
    """One release, named so that nothing else can be meant.

    Attributes:
        digest: of its ``release.json``.
        commit: its commit in the history repo, 40 hex digits.
    """

    version: str
    sequence: int
    digest: Digest
    commit: str

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "version": self.version,
            "sequence": self.sequence,
            "digest": str(self.digest),
            "commit": self.commit,
        }

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> ReleaseId:
        """From a JSON object that passed its schema."""
        return cls(entry["version"], entry["sequence"], Digest(entry["digest"]), entry["commit"])
