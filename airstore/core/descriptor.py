"""OCI content descriptors (image-spec, descriptor.md)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airstore.core.digest import Digest
from airstore.core.errors import DamagedError


@dataclass(frozen=True)
class Platform:
    """Operating system and architecture, with the variant where one is given."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """From ``os/architecture[/variant]``.

        Raises:
            DamagedError: not of that form.
        """
        parts = text.split("/")
        if len(parts) not in {2, 3} or not all(parts):
            raise DamagedError(f"not a platform: {text!r}; write os/architecture, such as linux/amd64")
        return cls(*parts)

    def matches(self, wanted: Platform) -> bool:
        """Whether this one is asked for by ``wanted``; a wanted platform without variant takes any."""
        same = (self.os, self.architecture) == (wanted.os, wanted.architecture)
        return same and wanted.variant in {"", self.variant}

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


@dataclass(frozen=True)
class Descriptor:
    """What a registry needs to know of a blob: media type, digest, size in bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = field(default=None, compare=False)
    artifact_type: str = field(default="", compare=False)
    annotations: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)

    @classmethod
    def parse(cls, document: object, what: str) -> Descriptor:
        """From its JSON object.

        Raises:
            DamagedError: a field is missing, mistyped or not allowed; ``what`` names the document.
        """
        if not isinstance(document, dict):
            raise DamagedError(f"{what}: a descriptor must be an object")
        media_type, digest, size = (document.get(key) for key in ("mediaType", "digest", "size"))
        if not isinstance(media_type, str) or not isinstance(digest, str):
            raise DamagedError(f"{what}: a descriptor needs mediaType and digest")
        if type(size) is not int or size < 0:
            raise DamagedError(f"{what}: size of {digest} must be a whole number, not {size!r}")
        if document.get("urls"):
            raise DamagedError(f"{what}: {digest} is a foreign layer (urls); its bytes cannot be shipped")
        name = _digest(digest, what)
        if document.get("data") is not None:
            _check_data(document["data"], name, size, what)
        return cls(
            media_type=media_type,
            digest=name,
            size=size,
            platform=_platform(document.get("platform")),
            artifact_type=str(document.get("artifactType") or ""),
            annotations=annotations_of(document, what),
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON object, without empty fields."""
        document: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.platform:
            variant = {"variant": self.platform.variant} if self.platform.variant else {}
            document["platform"] = {
                "os": self.platform.os,
                "architecture": self.platform.architecture,
                **variant,
            }
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return document


def _digest(text: str, what: str) -> Digest:
    try:
        return Digest(text)
    except DamagedError as fault:
        raise DamagedError(f"{what}: {fault}") from fault


def _platform(document: object) -> Platform | None:
    if not isinstance(document, dict):
        return None
    return Platform(*(str(document.get(key) or "") for key in ("os", "architecture", "variant")))


def _check_data(data: object, digest: Digest, size: int, what: str) -> None:
    try:
        plain = base64.b64decode(str(data), validate=True)
    except ValueError as fault:
        raise DamagedError(f"{what}: data of {digest} is not base64") from fault
    if len(plain) != size or Digest.of(plain) != digest:
        raise DamagedError(f"{what}: data of {digest} is not the content it describes")


def annotations_of(document: Mapping[str, Any], what: str) -> dict[str, str]:
    """The annotations of a descriptor, manifest or index.

    Raises:
        DamagedError: they do not map strings to strings.
    """
    annotations = document.get("annotations")
    if annotations is None:
        return {}
    if not isinstance(annotations, dict) or not all(isinstance(v, str) for v in annotations.values()):
        raise DamagedError(f"{what}: annotations must map strings to strings")
    return dict(annotations)
