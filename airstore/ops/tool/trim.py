"""What of Python and its packages a bundle goes without, and how the rest is made small and quick to start.

Nothing here is a guess that a user finds out: the bundle for the machine that builds it imports every module
of airstore before it gets its name (`airstore.ops.tool.bundle`), and a test uses it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from airstore.core.errors import DamagedError, ProgramError, UsageError
from airstore.ops.tool import elf
from airstore.ops.tool.platforms import LIBRARY, PACKAGES, PYTHON, ToolPlatform
from airstore.ops.tool.programs import PLACES

# Of Python: what needs a display, makes environments or tests, or embeds the interpreter.
PYTHON_DROPPED = frozenset(
    {
        *("bin/idle3.14", "bin/pip", "bin/pip3", "bin/pip3.14", "bin/pydoc3.14", "bin/python3.14-config"),
        *("include", "share", "lib/libpython3.14.so.1.0", "lib/libpython3.so", "lib/libtcl9.0.so"),
        *("lib/libtcl9tk9.0.so", "lib/itcl4.3.5", "lib/thread3.0.4", "lib/tcl9", "lib/tcl9.0", "lib/tk9.0"),
        "lib/pkgconfig",
        *(
            f"lib/python{PYTHON}/{name}"
            for name in (
                *("__phello__", "curses", "dbm", "ensurepip", "idlelib", "lib2to3", "pydoc_data"),
                *(
                    "test",
                    "tkinter",
                    "turtledemo",
                    "turtle.py",
                    "unittest",
                    "venv",
                    "xmlrpc",
                    "antigravity.py",
                ),
                *(
                    "cProfile.py",
                    "doctest.py",
                    "mailbox.py",
                    "pdb.py",
                    "profile.py",
                    "pstats.py",
                    "this.py",
                    "wsgiref",
                ),
                "_pydecimal.py",
            )
        ),
    }
)
# Packages that others ask for and no module of airstore leads to: the Kubernetes client's asyncio half, the
# parser of cffi's compiler, what rich shows Markdown and source code with, and time zones by name.
PACKAGES_DROPPED = frozenset(
    {
        *(
            "aiohappyeyeballs",
            "aiohttp",
            "aiohttp-retry",
            "aiosignal",
            "frozenlist",
            "multidict",
            "propcache",
        ),
        *("markdown-it-py", "mdurl", "pycparser", "pygments", "tzdata", "yarl"),
    }
)
# Parts of packages. airstore asks the API server with the Kubernetes client's connection alone: of what is
# made from Kubernetes' OpenAPI document, 120 MB, it uses nothing.
_PARTS_DROPPED = (
    *(
        "kubernetes/aio",
        "kubernetes/client/api",
        "kubernetes/client/models",
        "kubernetes/e2e_test",
        "kubernetes/test",
    ),
    *(
        "kubernetes/docs",
        "cffi",
        "pydantic/v1",
        "zstandard/_cffi.*",
        "zstandard/backend_cffi.py",
        "bin",
        "pygments/lexers",
        "pygments/styles",
    ),
    *("securesystemslib/_vendor/ed25519/test_data", "*/tests", "*/test", "*/testing"),
)
_MODULES_DROPPED = (
    "config-*",
    *(f"lib-dynload/{name}" for name in ("_dbm.*", "_curses*", "_test*", "_ctypes_test.*", "_tkinter.*")),
)
_NEEDED = ("kubernetes/client/api/__init__.py", "kubernetes/client/models/__init__.py")
_NOT_RUN = (".pyi", ".pyx", ".pxd", ".c", ".h", ".typed", ".a")
_SOURCES = f"{PACKAGES}/airstore"  # stays readable, and two of its files are run by their path


def trim(folder: Path, platform: ToolPlatform, glibc: int) -> None:
    """Drop what is not needed of packages, check and strip native code.

    Args:
        folder: of the bundle.
        platform: for which it is.
        glibc: the oldest one that it has to run with, 28 for 2.28.

    Raises:
        UsageError: native code for another machine, or for a newer glibc than bundles run with.
        DamagedError: a damaged library.
    """
    for directory, patterns in ((folder / PACKAGES, _PARTS_DROPPED), (folder / LIBRARY, _MODULES_DROPPED)):
        for path in sorted(path for pattern in patterns for path in directory.glob(pattern)):
            _drop(path, directory)
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        if path.suffix in _NOT_RUN or path.name in {"RECORD", "direct_url.json", "REQUESTED", "INSTALLER"}:
            path.unlink()
        else:
            _strip(path, folder, platform, glibc)


def _drop(path: Path, packages: Path) -> None:
    if not path.is_dir():
        path.unlink()
        return
    kept = {name: (packages / name).read_bytes() for name in _NEEDED if (packages / name).is_file()}
    shutil.rmtree(path)
    for name, data in kept.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_bytes(data)


def _strip(path: Path, folder: Path, platform: ToolPlatform, glibc: int) -> None:
    data = path.read_bytes()
    programs = {folder / place for place in PLACES.values()}
    if not elf.is_elf(data) and path not in programs:
        return
    check_native(data, str(path.relative_to(folder)), platform, glibc)
    path.write_bytes(elf.stripped(data, path.name))


def check_native(data: bytes, what: str, platform: ToolPlatform, glibc: int) -> None:
    """Refuse native code that a platform would not run.

    Raises:
        UsageError: it is for another machine, or for a newer glibc.
    """
    if not elf.is_elf(data) or elf.machine(data) != platform.elf:
        raise UsageError(f"{what} is not a program or library for {platform.name}")
    if elf.glibc(data) > glibc:
        raise UsageError(
            f"{what} needs glibc 2.{elf.glibc(data)}; the bundle has to run with 2.{glibc}",
            hint="link it statically, build it on an older system, or say --glibc if every site has it",
        )


def compile_all(folder: Path, python: Path) -> None:
    """Compile every module, the same bytes each time; sources stay of airstore alone.

    Args:
        folder: of the bundle.
        python: the same Python, for this machine.

    Raises:
        ProgramError: a module does not compile.
    """
    sources = sorted(path for path in (folder / LIBRARY).rglob("*.py") if path.is_file())
    own = folder / _SOURCES
    listed = [(str(path), _compiled(path, own), str(path.relative_to(folder))) for path in sources]
    words = "\n".join("\0".join(entry) for entry in listed)
    variables = {"PYTHONHASHSEED": "0", "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(python), "-s", "-B", "-c", _COMPILE],
        input=words.encode(), env=variables, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ProgramError(
            f"a module of the bundle does not compile: {done.stderr.decode(errors='replace')[-1000:]}"
        )
    for path in sources:
        if not path.is_relative_to(own):
            path.unlink()


def _compiled(source: Path, own: Path) -> str:
    """Beside its source, where that stays, else in place of it."""
    if source.is_relative_to(own):
        return str(source.parent / "__pycache__" / f"{source.stem}.cpython-{PYTHON.replace('.', '')}.pyc")
    return str(source.with_suffix(".pyc"))


# One process and one order: what the interpreter has met before has a say in what it writes.
_COMPILE = """
import sys, py_compile
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for line in sys.stdin.buffer.read().decode().split("\\n"):
    source, compiled, name = line.split("\\0")
    py_compile.compile(source, compiled, name, doraise=True, invalidation_mode=mode)
"""


def files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in one order.

    Raises:
        DamagedError: a link or a special file, which FAT does not know.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DamagedError(f"{path} is neither a file nor a directory")
        if path.is_file():
            yield path
