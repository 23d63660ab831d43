"""Package databases as images have them: which file is one, and what it says is installed. Pure.

Facts: deb-control(5) and Debian's dpkg status file; apk's installed database (apk-tools, doc/apk-package.5);
core metadata of Python packages (headers of an e-mail message); npm's package.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from email.parser import HeaderParser
from typing import NamedTuple

from airstore.core.errors import AirstoreError
from airstore.core.parsing import strictjson
from airstore.ops.review import rpm


class Package(NamedTuple):
    """One package that is installed, as its own manager names it."""

    manager: str
    name: str
    version: str


Parse = Callable[[bytes], Iterable[Package]]


def parser_of(path: str) -> Parse | None:
    """How a file of an image is read if it is part of a package database; None for all others.

    Args:
        path: within the image, without a leading slash.
    """
    return next((parse for pattern, parse in _FILES if pattern.search(path)), None)


def dpkg(data: bytes) -> Iterator[Package]:
    """A ``status`` file, or one stanza of ``status.d``; what is configured only, or removed, is left out."""
    for stanza in _stanzas(data):
        state = stanza.get("Status", "install ok installed").split()
        if state[-1:] == ["installed"] and "Package" in stanza:
            yield Package("dpkg", stanza["Package"], stanza.get("Version", ""))


def apk(data: bytes) -> Iterator[Package]:
    """Alpine's ``installed``."""
    for stanza in _stanzas(data):
        if "P" in stanza:
            yield Package("apk", stanza["P"], stanza.get("V", ""))


def python(data: bytes) -> Iterator[Package]:
    """``METADATA`` of a ``.dist-info``, ``PKG-INFO`` of an ``.egg-info``."""
    headers = HeaderParser().parsestr(data.decode(errors="replace"))
    if name := str(headers.get("Name", "")).strip():
        yield Package("pip", re.sub(r"[-_.]+", "-", name).lower(), str(headers.get("Version", "")).strip())


def npm(data: bytes) -> Iterator[Package]:
    """``package.json`` of an installed module; those without name and version are parts of others."""
    try:
        document = strictjson.load_object(data, "package.json")
    except AirstoreError:  # others' files, some of them tests of parsers: no fault of the image
        return
    name, version = document.get("name"), document.get("version")
    if isinstance(name, str) and name and isinstance(version, str):
        yield Package("npm", name, version)


def _rpm(data: bytes) -> Iterator[Package]:
    return (Package("rpm", name, version) for name, version in rpm.installed(data))


def _stanzas(data: bytes) -> Iterator[dict[str, str]]:
    """Paragraphs of ``field:value``; of a field with several lines the first."""
    for block in re.split(r"\n\s*\n", data.decode(errors="replace")):
        fields: dict[str, str] = {}
        for line in block.splitlines():
            name, found, value = line.partition(":")
            if found and not line[:1].isspace():
                fields.setdefault(name, value.strip())
        yield fields


_FILES: tuple[tuple[re.Pattern[str], Parse], ...] = (
    (re.compile(r"^var/lib/dpkg/status$|^var/lib/dpkg/status\.d/[^/]+(?<!\.md5sums)$"), dpkg),
    (re.compile(r"^(usr/)?lib/apk/db/installed$"), apk),
    (re.compile(r"^(var/lib|usr/lib/sysimage)/rpm/rpmdb\.sqlite$"), _rpm),
    (re.compile(r"\.dist-info/METADATA$|\.egg-info/PKG-INFO$|\.egg-info$"), python),
    (re.compile(r"(^|/)node_modules/(@[^/]+/)?[^/]+/package\.json$"), npm),
)
# Databases that are seen and not read: images of before rpm 4.16.
UNREAD = re.compile(r"^(var/lib|usr/lib/sysimage)/rpm/Packages(\.db)?$")
