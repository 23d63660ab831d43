"""Image references, normalised the way Docker, containerd and Helm charts write them.

Grammar: distribution/reference. ``nginx`` means ``docker.io/library/nginx:latest``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airstore.core.errors import DamagedError, UsageError
from airstore.core.image.digest import Digest, is_other_hash

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_IPV6 = r"\[[a-fA-F0-9:]+\]"  # distribution/reference takes it since version 0.6
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|{_IPV6})(?::[0-9]{{1,5}})?")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True, order=True)
class Reference:
    """Host, repository path, and a tag or a digest or both.

    Attributes:
        host: registry host with optional port; ``docker.io`` where none was written.
        path: repository path without the host, such as ``library/nginx``.
        tag: empty only where a digest is given.
        digest: the pinned digest, or None.
    """

    host: str
    path: str
    tag: str
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """From what people and charts write.

        Raises:
            UsageError: not an image reference.
        """
        name, _, digest_text = text.partition("@")
        host, path = _split_host(name)
        path, _, tag = path.partition(":")
        try:
            digest = Digest(digest_text) if "@" in text else None
        except DamagedError as fault:
            hint = other_hash_hint(text)
            raise UsageError(f"not an image reference: {text!r}: {fault}", hint=hint) from fault
        if not _PATH.fullmatch(path) or (tag and not _TAG.fullmatch(tag)) or name.endswith(":"):
            raise UsageError(f"not an image reference: {text!r}")
        return cls(host, path, tag or ("" if digest else "latest"), digest)

    @property
    def name(self) -> str:
        """Host and path, without tag and digest."""
        return f"{self.host}/{self.path}"

    @property
    def selector(self) -> str:
        """What to ask a registry for: the digest where pinned, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def other_hash_hint(text: str) -> str:
    """What to do about a pin by another hash than SHA-256; empty where it is none."""
    name, _, digest = text.partition("@")
    if not is_other_hash(digest):
        return ""
    return (
        "registries find manifests by sha256, and nodes would ask in vain for another: name the sha256 that "
        f"`skopeo inspect docker://{name}` says, for a chart of others in its values"
    )


def _split_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first)
    host, path = (first, rest) if is_host else ("docker.io", name)
    if not _HOST.fullmatch(host):
        raise UsageError(f"not an image reference: {name!r}")
    host = {"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io"}.get(host, host)
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return host, path
