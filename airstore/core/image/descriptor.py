"""OCI content descriptors (image-spec, descriptor.md)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest, is_other_hash

_SYSTEMS = {"macos": "darwin"}
# Other names of an architecture, and the variant that the name itself says.
_ARCHITECTURES = {
    "aarch64": ("arm64", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv6": ("arm", "v6"),
    "armv6l": ("arm", "v6"),
    "armv7": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armv8": ("arm64", ""),
}
# Names that stand alone, as containerd's parser takes them: for linux, that is.
_ALONE = frozenset({
    *_ARCHITECTURES, *(name for name, _ in _ARCHITECTURES.values()),
    "386", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm",
})  # fmt: skip
_OTHER_HASH = (
    "skopeo and most registries cannot copy such images either: build it again by a tool that names blobs by "
    "sha256, or ask its makers for such a one; a layout whose manifest alone is named so is written anew by "
    "`skopeo copy oci:OLD:TAG oci:NEW:TAG`; images.exclude leaves an image out that sites can do without"
)
_VARIANTS = {"arm64": "v8", "amd64": "v1", "arm": "v7"}  # what an architecture alone means


@frozen
class Platform:
    """Operating system and architecture, with the variant where one is given."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """From ``os/architecture[/variant]``; an architecture alone, as ``arm64/v8``, is one for ``linux``.

        Raises:
            DamagedError: not of that form.
        """
        parts = text.split("/")
        if parts[0].lower() in _ALONE:
            parts = ["linux", *parts]
        if len(parts) not in {2, 3} or not all(parts):
            raise DamagedError(f"not a platform: {text!r}; write os/architecture, such as linux/amd64")
        return cls(*parts)

    @property
    def canonical(self) -> Platform:
        """The same machine under one spelling: ``arm64``, ``arm64/v8`` and ``aarch64`` are one.

        Source: containerd/platforms, normalizeOS and normalizeArch. An architecture that has variants
        always gets one here, its default where nothing is said.
        """
        system, architecture, variant = self.os.lower(), self.architecture.lower(), self.variant.lower()
        architecture, given = _ARCHITECTURES.get(architecture, (architecture, ""))
        variant = variant or given
        variant = f"v{variant}" if variant.isdigit() else variant
        return Platform(
            _SYSTEMS.get(system, system), architecture, variant or _VARIANTS.get(architecture, "")
        )

    def matches(self, wanted: Platform) -> bool:
        """Whether this one is asked for by ``wanted``; a wanted platform without variant takes any."""
        own, other = self.canonical, wanted.canonical
        same = (own.os, own.architecture) == (other.os, other.architecture)
        return same and (not (wanted.variant or _says_variant(wanted)) or own.variant == other.variant)

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


@frozen
class Descriptor:
    """What a registry needs to know of a blob: media type, digest, size in bytes.

    Attributes:
        foreign: it names other places (``urls``) that hold the bytes; a registry need not have them.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = field(default=None, compare=False)
    artifact_type: str = field(default="", compare=False)
    annotations: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)
    foreign: bool = field(default=False, compare=False)

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
            foreign=bool(document.get("urls")),
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


def _says_variant(platform: Platform) -> bool:
    return bool(_ARCHITECTURES.get(platform.architecture.lower(), ("", ""))[1])


def _digest(text: str, what: str) -> Digest:
    try:
        return Digest(text)
    except DamagedError as fault:
        raise DamagedError(f"{what}: {fault}", hint=_OTHER_HASH if is_other_hash(text) else "") from fault


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


def parse_all(entries: Iterable[object], what: str) -> tuple[Descriptor, ...]:
    """Descriptors of a list; raises as `Descriptor.parse`."""
    return tuple(Descriptor.parse(entry, what) for entry in entries)


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
