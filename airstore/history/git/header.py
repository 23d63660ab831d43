"""The header of a git bundle (git: Documentation/gitformat-bundle), read strictly and bounded.

# v2 git bundle LF                  or "# v3 git bundle LF"
@object-format=sha1 LF              v3 only, optional; any other capability is refused
-<40 hex digits>[ <comment>] LF     one per commit the receiver must have already
<40 hex digits> <ref name> LF       one per ref; refs/heads/main once, refs/tags/<version> any number
LF                                  the pack follows, to the end of the file
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import BinaryIO

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.history.git.names import MAIN, TAGS, is_version

_V2, _V3 = b"# v2 git bundle\n", b"# v3 git bundle\n"
_CAPABILITY = b"@object-format=sha1\n"
_LINE = 4096  # bytes
_PREREQUISITE = re.compile(rb"-([0-9a-f]{40})(?: [^\n\0]*)?\n")
_REF = re.compile(rb"([0-9a-f]{40}) ([\x21-\x7e]{1,256})\n")


@frozen
class BundleHeader:
    """What a bundle says it holds; nothing of it is verified.

    Attributes:
        prerequisites: commits that the receiver must have.
        refs: ref name to object; ``refs/heads/main`` and tags named as versions, nothing else.
    """

    prerequisites: tuple[str, ...]
    refs: Mapping[str, str] = field(hash=False)

    def to_bytes(self) -> bytes:
        """The header of a version 2 bundle, in a fixed order."""
        known = [f"-{oid} \n" for oid in sorted(self.prerequisites)]
        refs = [f"{oid} {name}\n" for name, oid in sorted(self.refs.items())]
        return _V2 + "".join((*known, *refs, "\n")).encode()


def read_header(file: BinaryIO, what: str = "the bundle") -> BundleHeader:
    """Read a header; the file is left where the pack begins.

    Raises:
        DamagedError: not of the form above, or longer than `LIMITS.git_header`.
    """
    signature = file.readline(len(_V2) + 1)
    if signature not in {_V2, _V3}:
        raise DamagedError(f"{what} is not a git bundle of version 2 or 3")
    prerequisites: list[str] = []
    refs: dict[str, str] = {}
    line, left = file.readline(_LINE), LIMITS.git_header
    if signature == _V3 and line == _CAPABILITY:
        line = file.readline(_LINE)
    while line != b"\n":
        left -= len(line)
        if left < 0:
            raise DamagedError(f"the list of refs of {what} is longer than {LIMITS.git_header} bytes")
        _take(line, prerequisites, refs, what)
        line = file.readline(_LINE)
    if MAIN not in refs:
        raise DamagedError(f"{what} does not bring {MAIN}")
    return BundleHeader(tuple(prerequisites), refs)


def _take(line: bytes, prerequisites: list[str], refs: dict[str, str], what: str) -> None:
    required = _PREREQUISITE.fullmatch(line)
    if required and not refs:
        prerequisites.append(required[1].decode())
        return
    match = _REF.fullmatch(line)
    if match is None:
        raise DamagedError(f"{what} ends or is malformed in its list of refs: {line[:100]!a}")
    name = match[2].decode()
    if name in refs or not (name == MAIN or (name.startswith(TAGS) and is_version(name.removeprefix(TAGS)))):
        raise DamagedError(f"{what} names a ref twice, or one that no release has: {name[:140]!r}")
    refs[name] = match[1].decode()
