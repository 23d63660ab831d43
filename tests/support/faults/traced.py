"""What a command does to the files below a directory, in order, as strace sees it: with every byte."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CALLS = (
    "openat,creat,read,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,sendfile,copy_file_range,"
    "splice,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,"
    "fsync,fdatasync,sync_file_range,lseek,mmap"
)
_BY_DESCRIPTOR = frozenset(
    {
        *("read", "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "lseek", "mmap"),
        *("sendfile", "copy_file_range", "splice"),
    }
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) = (-?\d+|0x[0-9a-f]+)")
_UNFINISHED = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")
_DESCRIPTOR = re.compile(r"(?:\d+|AT_FDCWD)<([^>]*)>")
_STRING = re.compile(r'"([^"]*)"')
_DELETED = b" (deleted)"


@dataclass(frozen=True)
class Call:
    """A system call that succeeded.

    Attributes:
        name: of the call.
        paths: those that it names, relative to the directory; None for one that is elsewhere or was removed.
        data: that it writes; where a new link leads.
        numbers: its other arguments that are numbers.
        descriptors: that it names.
        words: its arguments as strace writes them.
        result: what it returned.
    """

    name: str
    paths: tuple[str | None, ...]
    data: bytes
    numbers: tuple[int, ...]
    descriptors: tuple[int, ...]
    words: str
    result: int


def traced(
    root: Path, log: Path, command: Sequence[str | Path], environment: Mapping[str, str]
) -> list[Call]:
    """Run a command that must end well; its calls that name a path below a directory.

    Args:
        root: the directory.
        log: where strace writes.
        command: with its arguments; what it names relative to where it is, is not seen.
        environment: beside that of the tests.
    """
    form = ["-f", "-qq", "-y", "-xx", "-s", str(1 << 26)]  # threads, paths, and every byte
    strace = ["strace", *form, "-o", str(log), "-e", f"trace={_CALLS}"]
    done = subprocess.run(
        [*strace, *map(str, command)],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done
    place = os.fsencode(root.resolve())
    sign = "".join(f"\\x{byte:02x}" for byte in place)
    lines = (line for line in _whole(log) if sign in line)
    return [call for line in lines if (call := _parsed(line, place + b"/"))]


def _whole(log: Path) -> Iterator[str]:
    """Lines, those put together that another process came between; each where its call ended."""
    begun = dict[str, str]()
    with log.open() as lines:
        for line in lines:
            if match := _UNFINISHED.match(line):
                begun[match[1]] = f"{match[1]} {match[2]}"
            elif match := _RESUMED.match(line):
                yield begun.pop(match[1]) + match[2]
            else:
                yield line


def _parsed(line: str, prefix: bytes) -> Call | None:
    match = _LINE.match(line)
    if not match or match[4].startswith("-"):
        return None
    name, words = match[2], match[3]
    paths = _paths(name, words, prefix)
    if not any(path is not None for path in paths):
        return None
    strings = [_bytes(each) for each in _STRING.findall(words)]
    data = b"".join(strings) if "write" in name else strings[0] if name.startswith("symlink") else b""
    plain = _STRING.sub("", _DESCRIPTOR.sub("", words))
    numbers = tuple(int(word) for word in re.findall(r"(?<=, )-?\d+(?=,|$|\})", plain))
    descriptors = tuple(map(int, re.findall(r"(\d+)<", words)))
    return Call(name, tuple(paths), data, numbers, descriptors, words, int(match[4], 0))


def _paths(name: str, words: str, prefix: bytes) -> list[str | None]:
    """What a call names: of its descriptors, or of its strings, which may start at a descriptor."""
    by_descriptor = "write" in name or name in _BY_DESCRIPTOR
    found = [_bytes(each) for each in _DESCRIPTOR.findall(words)] if by_descriptor else _named(words)
    return [_below(each, prefix) for each in found]


def _named(words: str) -> Iterator[bytes]:
    for base, text in re.findall(r'(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"([^"]*)"', words):
        yield os.fsencode(Path(os.fsdecode(_bytes(base)), os.fsdecode(_bytes(text))))


def _below(path: bytes, prefix: bytes) -> str | None:
    path = os.path.normpath(path)
    if not (path + b"/").startswith(prefix) or path.endswith(_DELETED):
        return None
    return os.fsdecode(path[len(prefix) :])


def _bytes(text: str) -> bytes:
    """As strace writes it with -xx: each byte, or a whole that needed none of that."""
    if "\\x" in text:
        return bytes.fromhex(text.replace("\\x", ""))
    return text.encode()
