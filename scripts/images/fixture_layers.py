"""Contents of the shop fixture's image layers: a base, a shared runtime, and each image's own files."""

from __future__ import annotations

import gzip
import io
import random
import re
import shlex
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_LAYER

EPOCH = 1_700_000_000  # seconds; every time in these images is this one or a whole number of days later
_DAY = 86_400
_FILE = 24 << 10  # plain bytes of one application file
_FEW = 4  # application files of an image that was not asked to be large
_CHANGED = 12  # one application file in so many differs between two versions


@dataclass(frozen=True)
class Layer:
    """A layer as it is shipped, gzip or the plain tar, and the digest of its plain tar."""

    diff_id: Digest
    data: bytes
    media_type: str = f"{OCI_LAYER}+gzip"

    def plain(self) -> Layer:
        """The same, not compressed."""
        return Layer(self.diff_id, gzip.decompress(self.data), OCI_LAYER)


@dataclass(frozen=True)
class Entry:
    """A file, a directory (``data`` is None) or a symbolic link of a layer."""

    path: str
    data: bytes | None = None
    link: str = ""
    mode: int = 0o644


@lru_cache(maxsize=4)
def base(busybox: Path | None) -> Layer:
    """The layer all images begin with; without a busybox it has nothing that could run."""
    return _layer(_base(busybox), EPOCH)


@lru_cache(maxsize=8)
def runtime(size: int) -> Layer:
    """The layer of libraries that all images share, of ``size`` plain MB; no version changes it."""
    return _layer(_runtime(size), EPOCH)


@lru_cache(maxsize=16)
def application(name: str, version: str, size: int) -> Layer:
    """The image's own files, of ``size`` plain MB; another version has a few other files and a new time."""
    return _layer(_application(name, version, size), EPOCH + _DAY * (1 + _number(version)))


@lru_cache(maxsize=8)
def registry_layer(program: Path) -> Layer:
    """A registry's program with the libraries it needs, laid out as the official image is."""
    return _layer(_registry(program), EPOCH)


def _base(busybox: Path | None) -> Iterator[Entry]:
    yield Entry("bin/", mode=0o755)
    if busybox:
        yield Entry("bin/busybox", busybox.read_bytes(), mode=0o755)
        for name in ("cat", "httpd", "ls", "sh", "sleep", "wget"):
            yield Entry(f"bin/{name}", link="busybox")
    yield Entry("etc/", mode=0o755)
    yield Entry("etc/passwd", b"root:x:0:0:root:/:/bin/sh\nshop:x:1000:1000:shop:/srv:/bin/sh\n")
    yield Entry("etc/os-release", b'NAME="shop base"\nVERSION="1"\n')
    yield Entry("tmp/", mode=0o1777)


def _runtime(size: int) -> Iterator[Entry]:
    yield Entry("usr/lib/runtime/", mode=0o755)
    for number in range(max(2 * _FEW, (size << 20) // _FILE)):
        yield Entry(f"usr/lib/runtime/module{number}.py", source_text(f"runtime {number}", _FILE))


def _application(name: str, version: str, size: int) -> Iterator[Entry]:
    yield Entry("srv/", mode=0o755)
    yield Entry("srv/healthz", b"ok\n")
    yield Entry("srv/version", f"{name} {version}\n".encode())
    yield Entry(f"srv/{name}/", mode=0o755)
    for number in range(max(_FEW, (size << 20) // _FILE)):
        seed = f"{name} {number}" + (f" {version}" if number % _CHANGED == 0 else "")
        yield Entry(f"srv/{name}/part{number:05}.py", source_text(seed, _FILE))


def real_program(program: Path) -> Path:
    """The program that a wrapper of scripts/tools runs; any other one is itself."""
    content = program.read_bytes()
    if not content.startswith(b"#!"):
        return program
    return Path(shlex.split(content.decode().splitlines()[-1])[1])  # exec PROGRAM "$@"


def _registry(wrapper: Path) -> Iterator[Entry]:
    program = real_program(wrapper)
    yield Entry("usr/bin/docker-registry", program.read_bytes(), mode=0o755)
    listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    for path in sorted(re.findall(r"(/\S+) \(0x", listing)):
        yield Entry(path.lstrip("/"), Path(path).read_bytes(), mode=0o755)
    yield Entry("etc/docker/registry/config.yml", _REGISTRY_CONFIG)
    yield Entry("var/lib/registry/", mode=0o755)


_REGISTRY_CONFIG = b"""\
version: 0.1
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: /var/lib/registry}
http:
  addr: :5000
"""


def source_text(seed: str, size: int) -> bytes:
    """Text that looks like a program and compresses like one, to about a third."""
    chance = random.Random(seed)  # noqa: S311 - repeatable content, not a secret
    letters = "".join(chance.choices("abcdefghiklmnoprstuvw", k=2000))
    names = [letters[start : start + 4 + start % 7] for start in range(0, 1990, 5)]
    count = size // 20  # lines are longer than that
    words = iter(chance.choices(names, k=3 * count))
    shapes = chance.choices(_SHAPES, k=count)
    numbers = chance.choices(range(10_000), k=count)
    lines = (shape.format(*three) for shape, *three in zip(shapes, words, words, words, numbers, strict=True))
    return "".join(lines).encode()[:size]


_SHAPES = (
    "def {0}_{1}(self, {2}: int = {3}) -> None:\n",
    "    {0} = self.{1}.{2}({3})\n",
    "    if {0} is None or {1} > {3}:\n        raise ValueError(f'{2}: {{{0}}}')\n",
    "    for {0} in {1}:\n        self._{2}[{0}] = {3}\n",
    "    # {0} {1} {2} since {3}\n",
    "    return {0}({1}, {2}={3})\n\n",
)


def _number(version: str) -> int:
    """A small number that rises with a version such as 1.1.0."""
    digits = [int(part) for part in version.split(".") if part.isdecimal()]
    return sum(part * weight for part, weight in zip(digits, (100, 10, 1), strict=False))


def _layer(entries: Iterable[Entry], mtime: int) -> Layer:
    plain = tar(entries, mtime)
    return Layer(Digest.of(plain), go_like_gzip(plain))


def tar(entries: Iterable[Entry], mtime: int) -> bytes:
    """A tar of files owned by root, all with one modification time (seconds)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mtime, info.mode, info.uname, info.gname = mtime, entry.mode, "root", "root"
            if entry.link:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
            elif entry.data is None:
                info.type = tarfile.DIRTYPE
            info.size = len(entry.data or b"")
            archive.addfile(info, io.BytesIO(entry.data or b""))
    return buffer.getvalue()


def go_like_gzip(data: bytes) -> bytes:
    """Gzip with the header that Go writes at its default level: no name, no time, unknown system."""
    header = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
    encoder = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = encoder.compress(data) + encoder.flush()
    return header + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
