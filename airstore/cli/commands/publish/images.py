"""``airstore images``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from airstore.charts.images.finding import ImageFinding, why
from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.files.productfile import product_file
from airstore.cli.options.helm import find_helm, helm_option, kube_version_option
from airstore.cli.options.registries import registry_access
from airstore.cli.suggest import suggestions
from airstore.cli.views.notices import notice_fields, say_notices
from airstore.cli.views.output import output_option, show_rows
from airstore.core.errors import NotFoundError
from airstore.core.image.reference import Reference
from airstore.core.notice import Notice
from airstore.ops.publish.contents import ReleaseContents, gather
from airstore.ops.publish.images.record_sizes import SMALLER, oversized
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import PUBLISHER


@click.group("images", cls=Group)
def command() -> None:
    """What image discovery finds, and why."""


command.add_later("compare", "publish.compare:command")


@command.command("find")
@click.option("--why", "image", default="", metavar="IMAGE", help="Every place that asks for this image.")
@click.option("--all", "everything", is_flag=True, help="Also doubtful and excluded ones.")
@kube_version_option
@helm_option
@registry_access
@output_option("image-list", "image-place-list")
@pass_context
def find(
    context: Context,
    *,
    image: str,
    everything: bool,
    kube_versions: tuple[str, ...],
    helm_path: Path | None,
    access: RegistryOptions,
    output: str,
) -> None:
    """Render every chart under every values variant and list the images they ask for.

    `possible` ones are not included: name them under images.include if they are images.
    """
    store = context.store(PUBLISHER, "images find")
    contents = gather(product_file(store), find_helm(helm_path), access, kube_versions, store)
    if image:
        _show_why(contents, image, output)
        return
    told = (*contents.notices, *_refusals(contents))
    say_notices(context, told)
    if not everything:
        _say_possible(context, contents)
    rows = _grouped(contents.findings, everything=everything)
    columns = {
        "image": "IMAGE", "confidence": "CONFIDENCE", "taken": "INCLUDED", "tests_only": "TESTS ONLY",
        "charts": "CHARTS", "places": "PLACES",
    }  # fmt: skip
    show_rows(rows, output, columns, "no images found", beside=notice_fields(told, output))


def _refusals(contents: ReleaseContents) -> Iterator[Notice]:
    """What `release create` would not accept; here it stops nothing."""
    for one in contents.unreadable:
        if one.stops and not one.excluded_by:
            place = f"{one.kind} {one.name}, {one.path} ({one.source})"
            what = f"{one.text!r} is no image reference, and `release create` refuses it: {place}"
            yield Notice("unreadable-image", what)
    for name, told in oversized(contents.records).items():
        what = f"{name}: Helm could not keep its record of it, and `release create` refuses it: {told}"
        yield Notice("record-size", what, SMALLER)


def _say_possible(context: Context, contents: ReleaseContents) -> None:
    possible = {f.reference for f in contents.findings if f.confidence == "possible" and not f.excluded_by}
    possible -= {f.reference for f in contents.findings if f.fetched}
    if possible:
        context.say(f"{len(possible)} more are possible; --all lists them")


def _show_why(contents: ReleaseContents, image: str, output: str) -> None:
    rows = _places(why(contents.findings, image))
    unread = [one for one in contents.unreadable if one.text == image]
    rows += [
        asdict(one) | {"reference": "", "confidence": "unreadable", "rule": "no reference"} for one in unread
    ]
    if not rows:
        close = suggestions(image, (str(finding.reference) for finding in contents.findings))
        hint = f"did you mean {close}?" if close else "list all with `airstore images find --all`"
        raise NotFoundError(f"nothing asks for {image}", hint=hint)
    columns = {
        "confidence": "CONFIDENCE", "text": "TEXT", "rule": "WHY", "variable": "VARIABLE", "chart": "CHART",
        "variant": "VARIANT", "source": "MANIFEST", "kind": "KIND", "name": "NAME", "path": "PATH",
        "excluded_by": "EXCLUDED BY",
    }  # fmt: skip
    show_rows(rows, output, columns, schema="image-place-list")


def _places(findings: list[ImageFinding]) -> list[dict[str, Any]]:
    """Each place once, with every variant that names the image there."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in findings:
        place = (str(one.reference), one.confidence, one.source, one.kind, one.name, one.path, one.text)
        row = rows.setdefault(place, asdict(one) | {"reference": str(one.reference), "variant": []})
        row["variant"] += [one.variant] if one.variant and one.variant not in row["variant"] else []
    return list(rows.values())


def _grouped(findings: tuple[ImageFinding, ...], *, everything: bool) -> list[dict[str, Any]]:
    groups: dict[Reference, list[ImageFinding]] = {}
    for finding in findings:
        groups.setdefault(finding.reference, []).append(finding)
    return [
        _row(reference, group)
        for reference, group in groups.items()
        if everything or any(finding.fetched for finding in group)
    ]


def _row(reference: Reference, group: list[ImageFinding]) -> dict[str, Any]:
    return {
        "image": str(reference),
        "confidence": min((finding.confidence for finding in group), key=_CONFIDENCE.index),
        "taken": any(finding.fetched for finding in group),
        "tests_only": all(finding.test for finding in group),
        "excluded_by": next((finding.excluded_by for finding in group if finding.excluded_by), ""),
        "charts": sorted({finding.chart for finding in group} - {""}),
        "places": len(group),
    }


_CONFIDENCE = ("certain", "likely", "possible")
