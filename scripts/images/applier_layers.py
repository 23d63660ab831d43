"""The four layers of the applier's image, each kept under a name that changes with what it is made of.

From the slowest to change to the fastest: Debian, the libraries, Helm and kubectl, airstore itself. So an
update of airstore changes one small layer, and that is all that travels to a site.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.images.fixture_layers import EPOCH

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "3.11"  # of the Debian suite below
SUITE = "bookworm"
PACKAGES = ("ca-certificates", "git", "python3")
USER = 65532
_FORMAT = "1"  # raised when this file makes other layers of the same inputs
_LIBRARY, _APPLICATION = "opt/airstore/lib", "opt/airstore/app"
_UNUSED: tuple[str, ...] = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
_UNUSED += ("var/lib/apt/lists", "var/cache/apt", "var/cache/debconf", "var/log", "dev", "run")
_GLIBCS = ("manylinux2014", "manylinux_2_17", "manylinux_2_26", "manylinux_2_28", "manylinux_2_34")
_PATHS = "usr/lib/python3/dist-packages/airstore.pth"  # for every python3, Helm's post-renderer too
_START = """#!/usr/bin/python3 -sB
from airstore.__main__ import run

run()
"""


@dataclass(frozen=True)
class Packed:
    """A layer in the cache.

    Attributes:
        diff_id: digest of the plain tar.
        about: for people.
    """

    about: str
    path: Path
    diff_id: str


class Cache:
    """Layers by the hash of their inputs, and the Debian root that modules are compiled in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def layer(self, about: str, inputs: Iterable[bytes], fill: Callable[[Path], Path]) -> Packed:
        """A layer, made by ``fill`` in a directory of its own where the cache has none."""
        key = hashlib.sha256(b"\0".join([_FORMAT.encode(), *inputs])).hexdigest()[:20]
        path = self._directory / f"{about}-{key}.tar.gz"
        note = path.with_suffix(".diffid")
        if not note.exists():
            scratch = self._directory / f".{about}-{os.getpid()}"
            try:
                note.write_text(pack(fill(scratch), path))
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return Packed(about, path, note.read_text())

    def debian(self) -> Path:
        """A Debian root, unpacked and configured."""
        root = (
            self._directory / f"debian-{SUITE}-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:8]}"
        )
        if not root.exists():
            half = root.with_name(f".{root.name}-{os.getpid()}")
            words = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(half)]
            subprocess.run(words, check=True, stdout=sys.stderr)
            half.rename(root)
        return root


def layers(cache: Cache, tools: Path) -> list[Packed]:
    """All four, lowest first."""
    root = cache.debian()
    listed = (root / "var" / "lib" / "dpkg" / "status").read_bytes()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    programs = [tools / "helm4", tools / "kubectl"]
    sources = sorted(path for part in ("airstore", "schemas") for path in _files(ROOT / part))
    requirements: list[str] = project["dependencies"]
    return [
        cache.layer("debian", [listed], lambda scratch: _debian(root, scratch)),
        cache.layer("libraries", [PYTHON.encode(), *map(str.encode, requirements)],
                    lambda scratch: _python(root, scratch, _LIBRARY, requirements)),
        cache.layer("programs", [path.read_bytes() for path in programs],
                    lambda scratch: _programs(programs, scratch)),
        cache.layer("airstore", [_START.encode(), _PATHS.encode(), *map(_named, sources)],
                    lambda scratch: _airstore(root, scratch)),
    ]  # fmt: skip


def _debian(root: Path, scratch: Path) -> Path:
    subprocess.run(["cp", "--archive", str(root), str(scratch)], check=True)
    for name in _UNUSED:
        shutil.rmtree(scratch / name, ignore_errors=True)
        (scratch / name).mkdir(parents=True)
    line = f"airstore:x:{USER}:{USER}:airstore:/tmp:/usr/sbin/nologin\n"
    for name, text in (("passwd", line), ("group", f"airstore:x:{USER}:\n")):
        path = scratch / "etc" / name
        path.write_text(path.read_text() + text)
    return scratch


def _python(root: Path, scratch: Path, place: str, requirements: Iterable[str]) -> Path:
    """Wheels for Debian's Python, whatever Python runs this, compiled by Debian's own."""
    target = scratch / place
    platforms = [f"--platform={glibc}_x86_64" for glibc in _GLIBCS]
    flags = ["--quiet", "--no-compile", f"--target={target}", f"--python-version={PYTHON}"]
    flags += ["--implementation=cp", "--only-binary=:all:", *platforms]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, *requirements], check=True)
    shutil.rmtree(target / "bin", ignore_errors=True)
    _compile(root, scratch, place)
    return scratch


def _airstore(root: Path, scratch: Path) -> Path:
    target = scratch / _APPLICATION
    flags = ["--quiet", "--no-deps", "--no-compile", f"--target={target}"]
    # The checkout's own: building it takes more than a minute.
    environment = {**os.environ, "AIRSTORE_CODEC": str(ROOT / "airstore" / "codec" / "libairstore_codec.so")}
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, str(ROOT)], check=True, env=environment)
    shutil.rmtree(target / "bin", ignore_errors=True)
    for name in ("direct_url.json", "RECORD"):  # where it was built
        for path in target.glob(f"*.dist-info/{name}"):
            path.unlink()
    _compile(root, scratch, _APPLICATION)
    start = scratch / "usr" / "local" / "bin" / "airstore"
    start.parent.mkdir(parents=True)
    start.write_text(_START)
    start.chmod(0o755)
    paths = scratch / _PATHS
    paths.parent.mkdir(parents=True)
    paths.write_text(f"/{_APPLICATION}\n/{_LIBRARY}\n")
    return scratch


def _programs(programs: Iterable[Path], scratch: Path) -> Path:
    target = scratch / "usr" / "local" / "bin"
    target.mkdir(parents=True)
    for program in programs:
        copied = target / program.name.removesuffix("4")
        shutil.copyfile(program, copied)
        copied.chmod(0o755)
    return scratch


def _compile(root: Path, scratch: Path, place: str) -> None:
    """The root file system is read-only in a pod: what is not compiled here is compiled at every start."""
    inside = root / place
    shutil.rmtree(inside, ignore_errors=True)
    try:
        shutil.copytree(scratch / place, inside)
        words = ["python3", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", f"/{place}"]
        subprocess.run(["chroot", str(root), *words], check=True)
        shutil.rmtree(scratch / place)
        shutil.copytree(inside, scratch / place)
    finally:
        shutil.rmtree(root / "opt", ignore_errors=True)


def pack(tree: Path, path: Path) -> str:
    """Write a tree as a gzip layer: sorted, one time, no set-uid bits; returns the plain tar's digest."""
    half = path.with_suffix(f".{os.getpid()}")
    digest = hashlib.sha256()
    with (
        half.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=_Both(packed, digest.update), mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for member in sorted(tree.rglob("*")):
            _add(tar, tree, member)
    half.rename(path)
    return f"sha256:{digest.hexdigest()}"


class _Both(io.RawIOBase):
    def __init__(self, sink: gzip.GzipFile, also: Callable[[bytes], None]) -> None:
        self._sink, self._also = sink, also

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._also(data)
        return self._sink.write(data)


def _add(tar: tarfile.TarFile, tree: Path, member: Path) -> None:
    info = tar.gettarinfo(str(member), str(member.relative_to(tree)))
    info.mtime, info.mode = EPOCH, info.mode & 0o1777
    if info.isreg():
        with member.open("rb") as data:
            tar.addfile(info, data)
    elif info.isdir() or info.issym() or info.islnk():
        tar.addfile(info)


def _files(directory: Path) -> Iterator[Path]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return (path for path in found if "__pycache__" not in path.parts)


def _named(path: Path) -> bytes:
    return str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes()
