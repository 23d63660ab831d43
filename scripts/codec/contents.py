"""Contents that the exact gzip codec is measured on: files, and trees as tars of their files."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class Content(NamedTuple):
    """Bytes to be compressed.

    Attributes:
        name: for people.
        plain: the bytes, a tar of them where it is a tree.
        archive: a tar, whatever it is: what container tools take.
    """

    name: str
    plain: bytes
    archive: bytes


def contents_of(words: Iterable[str], most: int) -> list[Content]:
    """From words such as ``NAME=PATH``; leaves the script where one is none.

    Args:
        words: names and paths.
        most: bytes of each, about; of larger trees every n-th file, of larger files the beginning.
    """
    found = []
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not Path(path).exists():
            sys.exit(f"{word}: contents are NAME=PATH, of what is there")
        found.append(_content(name, Path(path), most))
    return found


def _content(name: str, path: Path, most: int) -> Content:
    if path.is_file():
        plain = path.read_bytes()[:most]
        return Content(name, plain, _archive([(path.name, plain)]))
    every = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.is_symlink()]
    step = max(1, -(-sum(file.stat().st_size for file in every) // most))
    archive = _archive(_cut(((str(file.relative_to(path)), file) for file in every[::step]), most))
    return Content(name, archive, archive)


def _cut(files: Iterable[tuple[str, Path]], most: int) -> Iterator[tuple[str, bytes]]:
    """The files' bytes, up to so many."""
    left = most
    for name, path in files:
        data = path.read_bytes()[:left]
        left -= len(data)
        if data:
            yield name, data


def _archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()
