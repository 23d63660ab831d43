"""What a bundle needs from the network: Python by Go's client, packages by pip; all of it pinned by hash."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path, PurePosixPath

from airstore.core.errors import DamagedError, NotFoundError, TransferError
from airstore.core.work import at_work
from airstore.ops.tool.platforms import PYTHON, PYTHON_MODULE, PYTHON_RELEASE, PYTHON_SUM, ToolPlatform

LOCK = "requirements.lock"
_PACKAGED = Path(__file__).parents[2] / LOCK  # in an installed wheel
_SOURCE = Path(__file__).parents[3] / LOCK  # in a checkout
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ENTRY = re.compile(r"^([a-z0-9][a-z0-9-]*)==[^\n]*(?:\n    --hash[^\n]*)*", re.MULTILINE)
_MISMATCH = ("DO NOT MATCH THE HASHES", "SECURITY ERROR")  # pip's and Go's words
_SAID = 2000  # characters of a program's own words that an error repeats


def fetch_python(scratch: Path) -> Path:
    """The Go module that carries Python, unpacked by the Go client in its cache.

    Raises:
        NotFoundError: no ``go`` here.
        TransferError: it cannot be fetched.
        DamagedError: it is not what is pinned.
    """
    go = shutil.which("go")
    if not go:
        raise NotFoundError(
            "go was not found on PATH: the bundle's Python comes as a Go module",
            hint="install Go 1.22 or newer",
        )
    scratch.mkdir(parents=True, exist_ok=True)
    module = f"{PYTHON_MODULE}@{PYTHON_RELEASE}"
    said = _run(
        [go, "mod", "download", "-json", module], scratch, module, {"GO111MODULE": "on", "GOWORK": "off"}
    )
    found = json.loads(said)
    if found.get("Sum") != PYTHON_SUM:
        raise DamagedError(f"{module} has the hash {found.get('Sum')}, {PYTHON_SUM} is pinned")
    return Path(found["Dir"])


def unpack_python(module: Path, platform: ToolPlatform, out: Path, dropped: AbstractSet[str]) -> None:
    """Put the module's Python for a platform into a directory, without links, which FAT does not know.

    Args:
        module: as from `fetch_python`.
        platform: whose Python.
        out: becomes its prefix.
        dropped: relative paths, of files or of directories with all they have.

    Raises:
        DamagedError: a path leads out of it.
    """
    data = module / "python" / "internal" / "data" / platform.dashed
    for entry in json.loads((data / "files.json").read_bytes())["files"]:
        path = PurePosixPath(entry["name"])
        if path.is_absolute() or ".." in path.parts:
            raise DamagedError(f"{PYTHON_MODULE} lists the path {path}")
        if "symlink" in entry or entry["perm"] >> 31 or dropped & set(map(str, (path, *path.parents))):
            continue
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.get("compressed"):
            target.write_bytes(gzip.decompress((data / f"{path}.gz").read_bytes()))
        else:
            shutil.copyfile(data / path, target)
        target.chmod(0o755 if entry["perm"] & 0o100 else 0o644)


def requirements(dropped: Collection[str]) -> str:
    """The part of ``requirements.lock`` that airstore needs to run, hashes included.

    Raises:
        NotFoundError: the lock is not there, or lacks a package.
    """
    path = _PACKAGED if _PACKAGED.is_file() else _SOURCE
    if not path.is_file():
        raise NotFoundError(f"{LOCK} is not part of this airstore", hint="install airstore from its wheel")
    entries = {match[1]: match[0] for match in _ENTRY.finditer(path.read_text())}
    needed = sorted(_closure() - set(dropped))
    lacking = [name for name in needed if name not in entries]
    if lacking:
        raise NotFoundError(f"{path} lacks {', '.join(lacking)}", hint="scripts/lock renews it")
    return "\n".join(entries[name] for name in needed) + "\n"


def _closure() -> set[str]:
    """Names of the packages that the installed airstore needs, as the lock writes them."""
    found: set[str] = set()
    ahead = ["airstore"]
    while ahead:
        for name in _required(ahead.pop()):
            if name not in found:
                found.add(name)
                ahead.append(name)
    return found


def _required(name: str) -> Iterator[str]:
    try:
        listed = requires(name) or []
    except PackageNotFoundError as fault:
        raise NotFoundError(
            f"the package {name} is not installed here, so what it needs is not known",
            hint="install airstore with pip",
        ) from fault
    for line in listed:
        words, _, marker = line.partition(";")
        match = _NAME.match(words.strip())
        if match and "extra ==" not in marker and not _is_for_others(marker):
            yield re.sub(r"[-_.]+", "-", match[0]).lower()


def _is_for_others(marker: str) -> bool:
    """Whether a marker is about older Pythons, other systems or other interpreters than the bundle's."""
    return bool(re.search(r"version\s*<|==\s*['\"](win32|Windows|PyPy|emscripten|darwin)", marker))


def install(platform: ToolPlatform, target: Path, listed: Path, report: Path) -> None:
    """Unpack wheels for a platform into a directory, whatever Python and platform run this.

    Args:
        platform: for which.
        target: the directory.
        listed: requirements with hashes.
        report: pip's account of what it took; written.

    Raises:
        NotFoundError: no pip here.
        TransferError: a wheel cannot be fetched, or is not what its hash says.
    """
    if importlib.util.find_spec("pip") is None:
        raise NotFoundError(
            "this Python has no pip, which fetches the bundle's packages", hint="python -m ensurepip"
        )
    tags = [f"--platform={tag}" for tag in platform.wheel_tags]
    flags = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"]
    flags += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}", *tags]
    places = [f"--target={target}", f"--report={report}", f"--requirement={listed}"]
    _run([sys.executable, "-m", "pip", "install", *flags, *places], report.parent, "the Python packages", {})


def _run(argv: Sequence[str], where: Path, what: str, more: Mapping[str, str]) -> bytes:
    with at_work("%s (%s)", Path(argv[0]).name, what):
        done = subprocess.run(argv, cwd=where, env={**os.environ, **more}, capture_output=True, check=False)
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr or done.stdout).decode(errors="replace").strip()[-_SAID:]
    if any(words in said for words in _MISMATCH):
        raise DamagedError(f"{what}: what was fetched is not what is pinned: {said}")
    raise TransferError(f"{what} cannot be fetched: {said}", hint="a bundle is made where the network is")
