"""Bills of materials, as `release show` and `release diff` say them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import click

from airstore.cli.text import printable
from airstore.cli.views.output import shortened, show_document, show_rows
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.model.release import Image, Release
from airstore.ops.review.sbom.attached import AttachedBom, attached_boms
from airstore.ops.review.sbom.compare import BomChange, Materials, materials, packages_of
from airstore.store.blobs import BlobStore

ALL = "*"


def bom_rows(image: Image, blobs: BlobStore) -> list[dict[str, Any]]:
    """What is attached to an image, for documents; where that cannot be read it is said, and nothing else."""
    try:
        return [_row(each) for each in attached_boms(image, blobs)]
    except (NotFoundError, DamagedError) as fault:
        click.echo(printable(f"warning: the SBOMs of {image.reference} cannot be listed: {fault}"), err=True)
        return []


def _row(attached: AttachedBom) -> dict[str, Any]:
    return {
        "kind": attached.kind,
        "platform": attached.platform or None,
        "carrier": str(attached.carrier),
        "digest": str(attached.blob.digest),
        "size": attached.blob.size,
    }


def say_boms(rows: Iterable[dict[str, Any]], image: str) -> None:
    """The same as lines."""
    for row in rows:
        platform = f" for {row['platform']}" if row["platform"] else ""
        click.echo(printable(shortened(f"{image} has an SBOM{platform}: {row['kind']} in {row['carrier']}")))


def show_boms(release: Release, wanted: str, blobs: BlobStore, output: str) -> None:
    """The packages that the documents name.

    Raises:
        UsageError: there is no such image.
        NotFoundError: no image that was asked for has such a document, or a manifest is not here.
        DamagedError: a manifest cannot be read.
    """
    images = release.images if wanted == ALL else _chosen(release, wanted)
    found = {str(image.reference): materials(image, blobs) for image in images}
    if not any(found.values()):
        raise NotFoundError(
            f"no SBOM is attached to {wanted if wanted != ALL else 'any image of the release'}"
        )
    rows = [row for image, held in found.items() for row in _package_rows(image, held)]
    if output != "table":
        show_document(
            {"version": release.version, "items": rows, "vulnerabilities": list(_known(found)),
             "notes": list(_notes(found))}, output, schema="release-sboms")  # fmt: skip
        return
    columns = {
        "image": "IMAGE",
        "platform": "PLATFORM",
        "manager": "KIND",
        "name": "PACKAGE",
        "version": "VERSION",
    }
    show_rows(rows, output, columns, "the documents name no package")
    for each in _known(found):
        packages = f" in {', '.join(each['packages'])}" if each["packages"] else ""
        what = " ".join(filter(None, (each["name"], each["severity"], each["state"])))
        click.echo(printable(f"{each['image']}: {what}{packages}"))
    for note in _notes(found):
        click.echo(printable(f"not read: {note}"))


def _chosen(release: Release, wanted: str) -> list[Image]:
    images = [image for image in release.images if wanted in {str(image.reference), image.reference.name}]
    return images or [release.image(wanted)]


def _package_rows(image: str, held: dict[str, Materials]) -> Iterator[dict[str, Any]]:
    for platform, of in sorted(held.items()):
        for package in packages_of(of.boms):
            yield {"image": image, "platform": platform or None, **package._asdict()}


def _known(found: dict[str, dict[str, Materials]]) -> Iterator[dict[str, Any]]:
    for image, held in found.items():
        for platform, of in sorted(held.items()):
            for each in (one for bom in of.boms for one in bom.vulnerabilities):
                yield {"image": image, "platform": platform or None, **asdict(each)}


def _notes(found: dict[str, dict[str, Materials]]) -> Iterator[str]:
    for image, held in found.items():
        yield from (f"{image}: {note}" for of in held.values() for note in of.notes)


def bom_change_document(change: BomChange) -> dict[str, Any]:
    """One image's and platform's changes, for documents."""
    packages = [{**asdict(each), "change": each.change} for each in change.changes]
    return {**asdict(change), "platform": change.platform or None, "changes": packages}


def show_bom_changes(changes: Iterable[BomChange]) -> None:
    """Which packages and vulnerabilities differ."""
    changes = list(changes)
    rows = [
        {
            "image": f"{one.image} {one.platform}".strip(),
            "package": f"{each.name} {each.manager}".strip(),
            "change": each.change,
            "old": ", ".join(each.old),
            "new": ", ".join(each.new),
        }
        for one in changes
        for each in one.changes
    ]
    columns = {"change": "CHANGE", "image": "IMAGE", "package": "PACKAGE", "old": "OLD", "new": "NEW"}
    show_rows(
        rows, "table", columns, "no package changed by SBOM" if changes else "no changed image has an SBOM"
    )
    for one in changes:
        for known in one.vulnerabilities:
            packages = f" in {', '.join(known.packages)}" if known.packages else ""
            moved = f"{known.old or 'not listed'} -> {known.new or 'not listed'}"
            what = " ".join(filter(None, (known.name, known.severity)))
            click.echo(printable(f"{one.image}: {what}{packages}: {moved}"))
        for note in one.notes:
            click.echo(printable(f"{one.image}: {note}"))
