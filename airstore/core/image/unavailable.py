"""Optional parts of an image that do not travel, as ``release.json`` lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest


@frozen
class Unavailable:
    """A signature, an SBOM, a platform nobody can ship: an image is whole without it.

    Attributes:
        subject: what it belongs to.
        digest: the part; None where even the list of parts could not be had.
        reason: one of `REASONS`.
        why: what the source answered; for people, never kept.
    """

    subject: Digest
    digest: Digest | None
    reason: str
    why: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        """As ``release.json`` has it."""
        digest = {"digest": str(self.digest)} if self.digest else {}
        return {"subject": str(self.subject), **digest, "reason": self.reason}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Unavailable:
        """From ``release.json``, which was held against its schema."""
        digest = Digest(entry["digest"]) if "digest" in entry else None
        return cls(Digest(entry["subject"]), digest, entry["reason"])

    def __str__(self) -> str:
        what = str(self.digest) if self.digest else f"what is attached to {self.subject}"
        return f"{what}: {REASONS[self.reason]}"


REASONS = {
    "listing": "it could not be listed",
    "content": "it could not be read",
    "kind": "it is no kind of document that registries take",
    "foreign": "its layers are kept elsewhere (urls), and the source does not hold them",
}


def parts_to_json(parts: Iterable[Unavailable]) -> dict[str, Any]:
    """The field of an image; none where there is none, so that older releases stay the same bytes."""
    entries = [part.to_json() for part in parts]
    return {"unavailable": entries} if entries else {}


def parts_from_json(image: Mapping[str, Any]) -> tuple[Unavailable, ...]:
    """From an image of ``release.json``, which was held against its schema."""
    return tuple(map(Unavailable.from_json, image.get("unavailable", ())))
