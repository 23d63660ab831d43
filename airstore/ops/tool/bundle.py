"""``airstore bundle``: Python, airstore, git, Helm and kubectl in one folder that runs from anywhere."""

from __future__ import annotations

import os
import platform as host
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from airstore import __version__
from airstore.core.durable import storage_errors, sync_directory, write_file
from airstore.core.errors import NotFoundError, ProgramError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.leftovers import building_directory
from airstore.ops.tool import archive, documents, fetch, programs, trim
from airstore.ops.tool.platforms import GLIBC, PACKAGES, PYTHON, ToolPlatform, of_machine

SUMS = "SHA256SUMS"
INTERPRETER = "python/bin/python3"
LAUNCHER = "airstore"
_START = """#!/bin/sh
# airstore with all that it runs on; this directory may lie anywhere, also on a drive that is read-only.
here=$0
[ ! -h "$here" ] || here=$(readlink -f "$here")
case $here in
*/*) here=${here%/*} ;;
*) here=. ;;
esac
here=$(CDPATH="" cd -P "$here" && pwd -P)
PATH=$here/bin:${PATH:-/usr/local/bin:/usr/bin:/bin}:$here/fallback
AIRSTORE_BUNDLE=$here
export PATH AIRSTORE_BUNDLE
exec "$here/python/bin/python3" -I -B -m airstore "$@"
"""
# What a module of airstore imports has to be there; what it imports within a function are modules of its own.
_IMPORT_ALL = """
import importlib, pkgutil, airstore
for module in pkgutil.walk_packages(airstore.__path__, "airstore."):
    if not module.name.endswith(("__main__", "libairstore_codec")):
        importlib.import_module(module.name)
"""


@frozen
class Sources:
    """What a bundle is made of that was built before.

    Attributes:
        wheels: a directory with airstore's wheels, one for each platform.
        programs: a directory with git, Helm and kubectl (`airstore.ops.tool.programs`).
        glibc: the oldest one that the bundle has to run with, 28 for 2.28.
    """

    wheels: Path
    programs: Path
    glibc: int = GLIBC


@frozen
class Bundle:
    """One that was made: the folder and its archive, both in bytes."""

    platform: ToolPlatform
    folder: Path
    archive: Path
    folder_bytes: int
    archive_bytes: int


def name_of(platform: ToolPlatform) -> str:
    """What the folder of this version is called."""
    return f"airstore-{__version__}-{platform.dashed}"


def make(
    out: Path, wanted: Sequence[ToolPlatform], sources: Sources, say: Callable[[str], None]
) -> list[Bundle]:
    """Make bundles in a new directory: a folder and an archive for each platform, and their ``SHA256SUMS``.

    Raises:
        UsageError: ``out`` is in use, a program is for another machine, or this machine is of no platform.
        NotFoundError: a wheel, a program, go or pip is not there.
        TransferError: something cannot be fetched.
        DamagedError: what was fetched is not what is pinned.
        ProgramError: the bundle for this machine does not import all of airstore.
        StorageError: the disk is full.
    """
    with storage_errors(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} is in use", hint="name a directory that does not exist yet")
        out.parent.mkdir(parents=True, exist_ok=True)
    with building_directory(out) as building, storage_errors(out):
        made = _make_all(building, wanted, sources, say)
        lines = [f"{Digest.of_file(each.archive).hex}  {each.archive.name}\n" for each in made]
        write_file(building / SUMS, "".join(lines).encode(), mode=0o644)
        building.chmod(0o755)
        building.replace(out)
        sync_directory(out.parent)
    return [_moved(each, out) for each in made]


def _moved(bundle: Bundle, out: Path) -> Bundle:
    folder, packed = out / bundle.folder.name, out / bundle.archive.name
    return Bundle(bundle.platform, folder, packed, bundle.folder_bytes, bundle.archive_bytes)


def _make_all(
    building: Path, wanted: Sequence[ToolPlatform], sources: Sources, say: Callable[[str], None]
) -> list[Bundle]:
    own = of_machine(host.machine())
    if host.system() != "Linux" or own is None:
        raise UsageError(
            f"bundles are made on Linux for amd64 or arm64, and this is {host.system()} for {host.machine()}"
        )
    ready = [(each, _wheel(sources.wheels, each), programs.read(sources.programs, each)) for each in wanted]
    scratch = building / ".scratch"
    module = fetch.fetch_python(scratch)
    fetch.unpack_python(module, own, scratch / "python", frozenset())
    interpreter = scratch / "python" / "bin" / f"python{PYTHON}"
    made = []
    for platform, wheel, carried in ready:
        say(f"making the bundle for {platform.name}")
        folder = building / name_of(platform)
        fetch.unpack_python(module, platform, folder / "python", trim.PYTHON_DROPPED)
        (folder / "python" / "bin" / f"python{PYTHON}").replace(folder / INTERPRETER)
        _fill(folder, platform, wheel, carried, scratch)
        trim.trim(folder, platform, sources.glibc)
        trim.compile_all(folder, interpreter)
        if platform == own:
            check(folder)
        packed = building / f"{folder.name}.tar.gz"
        archive.write(folder, packed)
        size = sum(path.stat().st_size for path in trim.files(folder))
        made.append(Bundle(platform, folder, packed, size, packed.stat().st_size))
    shutil.rmtree(scratch)
    return made


def _wheel(directory: Path, platform: ToolPlatform) -> Path:
    found = [
        path
        for path in sorted(directory.glob(f"airstore-{__version__}-py3-none-*.whl"))
        if any(tag in platform.wheel_tags for tag in path.stem.rpartition("-")[2].split("."))
    ]
    if len(found) != 1:
        raise NotFoundError(
            f"{directory} has {len(found)} wheels of airstore {__version__} for {platform.name}, not one",
            hint="scripts/wheels makes them",
        )
    return found[0]


def _fill(
    folder: Path, platform: ToolPlatform, wheel: Path, carried: Sequence[programs.Program], scratch: Path
) -> None:
    """Put packages, programs, launcher and documents beside Python."""
    listed, report = scratch / "requirements.txt", scratch / f"{platform.dashed}.json"
    own = f"airstore @ {wheel.absolute().as_uri()} --hash=sha256:{Digest.of_file(wheel).hex}\n"
    listed.write_text(fetch.requirements(trim.PACKAGES_DROPPED) + own)
    fetch.install(platform, folder / PACKAGES, listed, report)
    for program in carried:
        _copy(program.path, folder / programs.PLACES[program.name], 0o755)
        for path in program.licences:
            place = path.relative_to(program.path.parents[1] / "licences")
            _copy(path, folder / "licences" / place, 0o644)
    write_launcher(folder)
    _describe(folder, platform, carried, report)


def write_launcher(folder: Path) -> None:
    """Write what starts airstore in a bundle: a script for every ``/bin/sh``."""
    (folder / LAUNCHER).write_text(_START)
    (folder / LAUNCHER).chmod(0o755)


def _copy(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _describe(
    folder: Path, platform: ToolPlatform, carried: Sequence[programs.Program], report: Path
) -> None:
    """While the packages still have what they say of themselves."""
    listed = documents.parts(folder, report.read_bytes(), carried)
    listed = [part for part in listed if part.name != "airstore"]
    (folder / documents.NOTICE).write_text(documents.notice(listed, platform))
    (folder / documents.SBOM).write_bytes(documents.sbom(listed, platform))
    (licence,) = (folder / PACKAGES).glob("airstore-*.dist-info/licenses/LICENSE")
    _copy(licence, folder / "LICENSE", 0o644)


def check(folder: Path) -> None:
    """Have a bundle for this machine import all of airstore, with nothing else of this machine.

    Raises:
        ProgramError: something is missing in it.
    """
    words = [str(folder / INTERPRETER), "-I", "-B", "-c", _IMPORT_ALL]
    done = subprocess.run(words, env={"PATH": os.defpath}, cwd="/", capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-1000:]
        raise ProgramError(f"the bundle lacks something that airstore imports: {said}")
