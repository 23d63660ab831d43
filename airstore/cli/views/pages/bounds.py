"""How much of a release fits on a page that people read: what is left out is counted, never silent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from airstore.core.frozen import frozen
from airstore.ops.review.packages import PackageChange
from airstore.ops.review.patches import FilePatch
from airstore.ops.review.sbom.compare import BomChange, VulnerabilityChange

PACKAGES = 3000  # rows of all images together
VULNERABILITIES = 1000
FILES = 1000


class Changing(Protocol):
    """What packages changed in: an image by its own databases, or by its SBOM."""

    @property
    def changes(self) -> tuple[PackageChange, ...]:
        """Of its packages."""


_About = TypeVar("_About", bound=Changing)


@frozen
class ShownPackages(Generic[_About]):
    """One platform of one image.

    Attributes:
        rows: those of its changes that are shown.
        left: how many are not.
    """

    about: _About
    rows: tuple[PackageChange, ...]
    left: int


def shown_packages(packages: Iterable[_About], limit: int = PACKAGES) -> Iterator[ShownPackages[_About]]:
    """The first ``limit`` changes, image by image."""
    for each in packages:
        rows = each.changes[:limit]
        limit -= len(rows)
        yield ShownPackages(each, rows, len(each.changes) - len(rows))


def shown_vulnerabilities(
    boms: Iterable[BomChange], limit: int = VULNERABILITIES
) -> tuple[list[tuple[str, VulnerabilityChange]], int]:
    """The first ``limit`` with their images, and how many are left out."""
    rows = [(f"{bom.image} {bom.platform}".strip(), each) for bom in boms for each in bom.vulnerabilities]
    return rows[:limit], max(0, len(rows) - limit)


def shown_files(files: Sequence[FilePatch], limit: int = FILES) -> tuple[Sequence[FilePatch], int]:
    """The first ``limit`` files, and how many are left out."""
    return files[:limit], max(0, len(files) - limit)
