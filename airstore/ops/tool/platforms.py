"""The platforms a bundle is made for, and the Python that it carries: a Go module, pinned by its hash."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image import descriptor as image

PYTHON_MODULE = "github.com/kluctl/go-embed-python"
PYTHON_RELEASE = "v0.0.0-3.14.6-20260610-1"
PYTHON_SUM = "h1:oGUS7++Wm3LgxUfD6AmJgKbKQD2wdQFO9PzyJv6T+E4="  # of the module, as go.sum has it
PYTHON = "3.14"
PYTHON_VERSION = "3.14.6"
LIBRARY = f"python/lib/python{PYTHON}"  # in a bundle
PACKAGES = f"{LIBRARY}/site-packages"
GLIBC = 28  # of glibc 2.28: RHEL 8, SLES 15 SP1, Debian 10, Ubuntu 20.04

_MANYLINUX = (
    *("manylinux1", "manylinux2010", "manylinux2014", "manylinux_2_5", "manylinux_2_12"),
    *("manylinux_2_17", "manylinux_2_24", "manylinux_2_26", "manylinux_2_27", "manylinux_2_28"),
)


@frozen
class ToolPlatform:
    """One platform.

    Attributes:
        name: as OCI writes it, ``linux/amd64``.
        machine: as the kernel and wheels write it, ``x86_64``.
        elf: ``e_machine`` of its programs.
    """

    name: str
    machine: str
    elf: int

    @property
    def dashed(self) -> str:
        """For file names: ``linux-amd64``."""
        return self.name.replace("/", "-")

    @property
    def wheel_tags(self) -> tuple[str, ...]:
        """Platform tags of wheels that run with glibc 2.28."""
        return tuple(f"{tag}_{self.machine}" for tag in _MANYLINUX)


PLATFORMS = (ToolPlatform("linux/amd64", "x86_64", 62), ToolPlatform("linux/arm64", "aarch64", 183))


def named(names: Iterable[str]) -> list[ToolPlatform]:
    """The platforms of these names, each once.

    Raises:
        UsageError: a platform that no bundle is made for.
    """
    return list(dict.fromkeys(map(_named, names)))


def _named(name: str) -> ToolPlatform:
    with suppress(DamagedError):
        wanted = image.Platform.parse(name).canonical
        for each in PLATFORMS:
            if image.Platform.parse(each.name).canonical == wanted:
                return each
    known = ", ".join(each.name for each in PLATFORMS)
    raise UsageError(f"no bundle is made for the platform {name!r}", hint=f"there are {known}")


def of_machine(machine: str) -> ToolPlatform | None:
    """The platform whose kernel says it is a ``machine``."""
    return next((platform for platform in PLATFORMS if platform.machine == machine), None)
