"""Release notes to edit: what can be said from versions, images and the charts' own lists of changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airstore.core.errors import AirstoreError
from airstore.core.frozen import frozen
from airstore.core.model.release import Chart, Release
from airstore.core.parsing import yamlfile
from airstore.ops.publish.diff import paired
from airstore.ops.review.changes import HelmRow, ImageRow, helm_rows, image_rows
from airstore.ops.review.sides import nothing, side
from airstore.ops.stores.directory import StoreDirectory

_ANNOTATION = "artifacthub.io/changes"
_SECURITY = "artifacthub.io/containsSecurityUpdates"


@frozen
class ChartChange:
    """One line of a chart's list.

    Attributes:
        kind: ``added``, ``changed``, ``deprecated``, ``removed``, ``fixed`` or ``security``; empty where it
            does not say.
        links: name and address, as they are in the chart.
    """

    kind: str
    description: str
    links: tuple[tuple[str, str], ...] = ()


@frozen
class ChartNotes:
    """A chart that was added, removed or has another content, and what it says changed.

    Attributes:
        faults: what of its list could not be read.
    """

    name: str
    old: str
    new: str
    app: tuple[str, str]
    security: bool
    changes: tuple[ChartChange, ...]
    faults: tuple[str, ...] = ()


@frozen
class Notes:
    """Everything that the notes begin with; ``old`` is None for a first release."""

    product: str
    old: str | None
    new: str
    when: int
    helm_releases: tuple[HelmRow, ...]
    charts: tuple[ChartNotes, ...]
    images: tuple[ImageRow, ...]


def notes(store: StoreDirectory, old: str | None, new: str) -> Notes:
    """What changed between two releases, as far as they say it themselves.

    Raises:
        NotFoundError: there is no such release.
        NotTrustedError, DamagedError: one is not what its publisher signed.
    """
    after = side(store, new)
    before = side(store, old) if old else None
    earlier = before.release if before else nothing(after.release)
    files = before.files if before else {}
    return Notes(
        product=after.release.product,
        old=old,
        new=new,
        when=after.when,
        helm_releases=tuple(helm_rows(earlier, after.release)),
        charts=tuple(_charts(earlier, after.release, files, after.files)),
        images=tuple(row for row in image_rows(earlier, after.release) if row.change != "unchanged"),
    )


def _charts(
    old: Release, new: Release, before: dict[str, bytes], after: dict[str, bytes]
) -> Iterator[ChartNotes]:
    for (kind, name), was, now in paired(old, new):
        if kind != "chart" or (was and now and was.root == now.root):
            continue
        earlier, later = (_described(files, name) for files in (before, after))
        versions = [each.version if isinstance(each, Chart) else "" for each in (was, now)]
        annotations = later.get("annotations") if now else None
        annotations = annotations if isinstance(annotations, dict) else {}
        changes, faults = read_changes(annotations.get(_ANNOTATION), name)
        yield ChartNotes(
            name=name,
            old=versions[0],
            new=versions[1],
            app=(str(earlier.get("appVersion") or ""), str(later.get("appVersion") or "")),
            security=str(annotations.get(_SECURITY, "")).lower() == "true",
            changes=changes,
            faults=faults,
        )


def read_changes(annotation: object, chart: str) -> tuple[tuple[ChartChange, ...], tuple[str, ...]]:
    """A chart's ``artifacthub.io/changes``, a YAML list of texts or mappings; and its faults."""
    if annotation is None:
        return (), ()
    what = f"{_ANNOTATION} of chart {chart}"
    try:
        entries = yamlfile.load(str(annotation), what)
    except AirstoreError as fault:
        return (), (str(fault),)
    if not isinstance(entries, list):
        return (), (f"{what} is no list",)
    found = [_change(entry) for entry in entries]
    faults = tuple(f"{what}: entry {n} says nothing" for n, each in enumerate(found, 1) if each is None)
    return tuple(each for each in found if each), faults


def _change(entry: object) -> ChartChange | None:
    if isinstance(entry, str):
        return ChartChange("", entry) if entry.strip() else None
    if not isinstance(entry, dict) or not isinstance(entry.get("description"), str):
        return None
    links = entry.get("links")
    named = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    return ChartChange(
        str(entry.get("kind") or ""),
        entry["description"],
        tuple((str(link.get("name") or "link"), str(link.get("url") or "")) for link in named),
    )


def _described(files: dict[str, bytes], chart: str) -> dict[str, Any]:
    try:
        document = yamlfile.load(files.get(f"charts/{chart}/Chart.yaml", b""), "Chart.yaml")
    except AirstoreError:
        return {}
    return document if isinstance(document, dict) else {}
