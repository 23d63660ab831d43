"""The files inside a plain tar and where their bytes lie, so that nothing is ever extracted.

The tar is indexed once by walking its headers. Only what OCI layouts and docker archives consist of is
accepted: regular files, directories, links that stay inside. ``tarfile`` itself is not used to walk:
it reads extended headers of any size, takes a cut tar for a whole one, and lets the last of two
members of one name win.

Byte table: POSIX.1-1988 ustar header blocks of 512 bytes (decoded by `tarfile.TarInfo`), pax extended
headers ``x`` (POSIX.1-2001, "pax Interchange Format"), GNU long names ``L`` and ``K``.
"""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS

_BLOCK = 512
_LINK_HOPS = 8
_COMPRESSED = {
    b"\x1f\x8b": "gzip -d",
    b"\x28\xb5\x2f\xfd": "zstd -d",
    b"\xfd7zXZ\x00": "xz -d",
    b"BZh": "bzip2 -d",
}


@frozen
class Member:
    """Where a regular file's bytes lie, in bytes from the start of the tar."""

    offset: int
    size: int


@dataclass
class _Extended:
    """What extended headers say about the next member."""

    path: str = ""
    target: str = ""
    size: int | None = None


@dataclass
class TarIndex:
    """Regular files and links by normalised path."""

    name: str
    members: dict[str, Member] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def find(self, path: str) -> Member | None:
        """The regular file a path leads to, through links inside the tar.

        Raises:
            DamagedError: the links do not end.
        """
        start = path
        for _ in range(_LINK_HOPS):
            target = self.links.get(path)
            if target is None:
                return self.members.get(path)
            path = target
        raise DamagedError(f"{self.name}: the links of {start} do not end")


def read_at(handle: int, position: int, count: int, name: str) -> bytes:
    """Up to ``count`` bytes, at least one. Raises DamagedError at the end of the file or when it fails."""
    data = _block(handle, position, name, count)
    if not data:
        raise DamagedError(f"{name} ends at byte {position}, in the middle of its content")
    return data


def _block(handle: int, position: int, name: str, count: int = _BLOCK) -> bytes:
    try:
        return os.pread(handle, count, position)
    except OSError as fault:
        raise DamagedError(f"cannot read {name} at byte {position}: {fault.strerror}") from fault


def index_tar(handle: int, name: str) -> TarIndex:
    """Walk all headers of an open tar.

    Raises:
        UsageError: the tar is compressed.
        DamagedError: not a whole, unambiguous tar of files, directories and links that stay inside.
    """
    index, extended, position = TarIndex(name), _Extended(), 0
    total = os.fstat(handle).st_size
    for _ in range(LIMITS.tar_members):
        block = _block(handle, position, name)
        if position == 0:
            _refuse_compressed(block, name)
        if block == bytes(_BLOCK):
            return index
        info = _header(block, position, name)
        position += _BLOCK
        if info.type in _EXTENDED_TYPES:
            data = _extended_data(handle, info, position, name)
            _EXTENDED_TYPES[info.type](extended, data, name)
            size = info.size
        else:
            size = _apply(index, info, extended, position, name)
            extended = _Extended()
        position += -(-size // _BLOCK) * _BLOCK
        if position > total:
            raise DamagedError(f"{name} is cut off: its last member ends at byte {position} of {total}")
    raise DamagedError(f"{name} has more than {LIMITS.tar_members} members")


def _refuse_compressed(block: bytes, name: str) -> None:
    for magic, command in _COMPRESSED.items():
        if block.startswith(magic):
            raise UsageError(f"{name} is compressed", hint=f"unpack it first: {command} {name}")


def _header(block: bytes, position: int, name: str) -> tarfile.TarInfo:
    # Without the zero block at the end, a tar cut between two members would pass for a whole one.
    if len(block) < _BLOCK:
        raise DamagedError(f"{name} ends at byte {position} without a tar's end marker")
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as fault:
        raise DamagedError(f"{name}: no tar header at byte {position}: {fault}") from fault
    if info.size < 0:
        raise DamagedError(f"{name}: negative size at byte {position}")
    return info


def _extended_data(handle: int, info: tarfile.TarInfo, position: int, name: str) -> bytes:
    if info.size > LIMITS.tar_header:
        raise DamagedError(f"{name}: extended header of {info.size} bytes at byte {position}")
    data = b""
    while len(data) < info.size:
        data += read_at(handle, position + len(data), info.size - len(data), name)
    return data


def _pax(extended: _Extended, data: bytes, name: str) -> None:
    for key, value in _pax_records(data, name):
        if key == "path":
            extended.path = value
        elif key == "linkpath":
            extended.target = value
        elif key == "size":
            if not (value.isascii() and value.isdigit() and len(value) < 20):
                raise DamagedError(f"{name}: bad size in an extended header: {value[:30]!r}")
            extended.size = int(value)
        elif key.startswith("GNU.sparse."):
            raise DamagedError(f"{name} has sparse members, which image tools do not write")


def _pax_records(data: bytes, name: str) -> Iterator[tuple[str, str]]:
    r"""Records ``LENGTH KEY=VALUE\n``, where LENGTH counts the whole record in bytes."""
    position = 0
    while position < len(data):
        digits, space, _ = data[position : position + 8].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = data[position : position + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if len(record) < 5 or len(record) != length or not equals or record[-1:] != b"\n":
            raise DamagedError(f"{name}: bad extended header")
        # Values that decide nothing here, such as file capabilities, need not be text.
        yield key.decode("utf-8", "replace"), value.decode("utf-8", "replace")
        position += length


def _gnu_path(extended: _Extended, data: bytes, _name: str) -> None:
    extended.path = data.rstrip(b"\0").decode("utf-8", "replace")


def _gnu_target(extended: _Extended, data: bytes, _name: str) -> None:
    extended.target = data.rstrip(b"\0").decode("utf-8", "replace")


_EXTENDED_TYPES = {
    tarfile.XHDTYPE: _pax,
    tarfile.XGLTYPE: lambda _extended, _data, _name: None,  # comments; no image tool gives names in one
    tarfile.GNUTYPE_LONGNAME: _gnu_path,
    tarfile.GNUTYPE_LONGLINK: _gnu_target,
}


def _apply(index: TarIndex, info: tarfile.TarInfo, extended: _Extended, position: int, name: str) -> int:
    """Note one member; returns how many bytes of content follow its header."""
    path = _normal(extended.path or info.name, name)
    target = extended.target or info.linkname
    size = info.size if extended.size is None else extended.size
    if info.isdir():
        return 0
    if path in index.members or path in index.links:
        raise DamagedError(f"{name} has two members named {path}")
    if info.issym():
        index.links[path] = _normal(posixpath.join(posixpath.dirname(path), target), name)
        return 0
    if info.islnk():
        index.links[path] = _normal(target, name)
        return 0
    if info.type not in {tarfile.REGTYPE, tarfile.AREGTYPE}:
        raise DamagedError(f"{name}: {path} is neither a file, a directory nor a link")
    index.members[path] = Member(position, size)
    return size


def _normal(path: str, name: str) -> str:
    normal = posixpath.normpath(path)
    if normal.startswith(("/", "../")) or normal == ".." or "\0" in normal:
        raise DamagedError(f"{name}: {path[:200]!r} points out of the tar")
    return normal
