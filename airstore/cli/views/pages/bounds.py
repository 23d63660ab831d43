"""How much of a release fits on a page that people read: what is left out is counted, never silent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from airstore.ops.review.packages import PackageChange
from airstore.ops.review.patches import FilePatch
from airstore.ops.review.report import ImagePackages

PACKAGES = 3000  # rows of all images together
FILES = 1000


@dataclass(frozen=True)
class ShownPackages:
    """One platform of one image.

    Attributes:
        rows: those of its changes that are shown.
        left: how many are not.
    """

    about: ImagePackages
    rows: tuple[PackageChange, ...]
    left: int


def shown_packages(packages: Iterable[ImagePackages], limit: int = PACKAGES) -> Iterator[ShownPackages]:
    """The first ``limit`` changes, image by image."""
    for each in packages:
        rows = each.changes[:limit]
        limit -= len(rows)
        yield ShownPackages(each, rows, len(each.changes) - len(rows))


def shown_files(files: Sequence[FilePatch], limit: int = FILES) -> tuple[Sequence[FilePatch], int]:
    """The first ``limit`` files, and how many are left out."""
    return files[:limit], max(0, len(files) - limit)
