"""``airstore release``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from airstore.charts.schemas.documents import shown
from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.text import human, printable
from airstore.cli.views.layers import layer_row, show_layers
from airstore.cli.views.output import output_option, show_document, show_rows
from airstore.cli.views.sboms import (
    ALL,
    bom_change_document,
    bom_rows,
    say_boms,
    show_bom_changes,
    show_boms,
)
from airstore.cli.views.signatures import show_signatures
from airstore.core.errors import NotFoundError
from airstore.core.model.release import Release
from airstore.core.model.signers import signatures_to_json
from airstore.ops.publish.diff import ReleaseDiff, diff_releases
from airstore.ops.review.sbom.compare import BomChange, bom_changes
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.collected import collected
from airstore.ops.stores.releases.layers import layers_of
from airstore.ops.stores.releases.pending import pending
from airstore.ops.stores.releases.schemas import schemas_of
from airstore.ops.stores.releases.summaries import Holding, holdings, summaries
from airstore.ops.stores.releases.trusted import all_releases, count_held, trusted_release, verified
from airstore.ops.stores.upstream import recorded, verify_held


@click.group("release", cls=Group)
def command() -> None:
    """Create, list, compare and verify releases."""


command.add_later("create", "publish.create:command")
command.add_later("sign", "publish.sign:sign")
command.add_later("discard", "publish.sign:discard")
command.add_later("report", "publish.report:command")
command.add_later("notes", "publish.notes:command")


@command.command("list")
@output_option("release-list")
@pass_context
def list_(context: Context, output: str) -> None:
    """Releases of this store, oldest first.

    Every signature is verified, once: `release verify` and `check` verify them again.
    """
    store = context.store()
    with store.open_blobs() as blobs:
        rows = [
            {
                "version": each.summary.link.version,
                "sequence": each.summary.sequence,
                **asdict(each.summary.counts),
                "held": _held(each),
                "collected": each.collected,
                "commit": each.summary.link.commit,
            }
            for each in holdings(summaries(store), blobs, collected(store))
        ]
    columns = {
        "version": "VERSION",
        "sequence": "SEQ",
        "images": "IMAGES",
        "charts": "CHARTS",
        "size": "SIZE",
        "held": "HELD",
        "commit": "COMMIT",
    }
    show_rows(rows, output, columns, "no releases yet")
    for each in pending(store):
        signers, version = ", ".join(each.signed_by) or "nobody who still may", each.release.version
        context.say(f"release {version} is pending: signed by {signers}; {each.lacks} more must sign")


def _held(holding: Holding) -> str:
    if holding.whole:
        return "all"
    some = f"{holding.held} of {holding.summary.counts.blobs} blobs"
    return f"collected, {some}" if holding.collected else some


@command.command("show")
@click.argument("version")
@click.option(
    "--sbom",
    "sbom",
    is_flag=False,
    flag_value=ALL,
    metavar="[IMAGE]",
    help="The packages that the SBOMs of IMAGE name, or those of all images; put it after VERSION.",
)
@output_option("release-contents", "release-sboms")
@pass_context
def show(context: Context, version: str, sbom: str | None, output: str) -> None:
    """What release VERSION contains, the upstream signatures and SBOMs of its images too."""
    store = context.store()
    link = verified(store, version)
    if sbom is not None:
        with store.open_blobs() as blobs:
            show_boms(link.release, sbom, blobs, output)
        return
    rows = list(_artifact_rows(link.release))
    with store.open_blobs() as blobs:
        boms = {str(image.reference): bom_rows(image, blobs) for image in link.release.images}
        rows = [{**row, "sboms": boms[row["name"]]} if boms.get(row["name"]) else row for row in rows]
        layers = [layer_row(layer) for layer in layers_of(link.release, blobs)]
        held, every = count_held(blobs, link.release), len(link.release.blobs())
    gone = held < every and link.digest in collected(store)
    schemas = sorted(schemas_of(store, link.release).by_url)
    if output != "table":
        document = {"version": version, "sequence": link.release.sequence, "commit": link.commit}
        helm = [asdict(entry) for entry in link.release.helm_releases]
        contents = {"collected": gone, "artifacts": rows, "layers": layers, "releases": helm}
        contents |= {"schemas": schemas} if schemas else {}
        show_document({**document, "digest": link.digest, **contents}, output)
        return
    click.echo(
        f"{link.release.product} {version}, sequence {link.release.sequence}, commit {link.commit[:12]}"
    )
    if gone:
        click.echo(
            f"its content was dropped by `airstore gc`; {held} of its {every} blobs are here for others"
        )
    columns = {"kind": "KIND", "name": "NAME", "digest": "DIGEST", "blobs": "BLOBS", "size": "SIZE"}
    show_rows(rows, output, columns)
    show_layers(layers)
    show_signatures(link.release)
    for image_name, found in boms.items():
        say_boms(found, image_name)
    for image in link.release.images:
        for part in image.unavailable:
            click.echo(f"{image.reference} travels without {part}")
    for url in schemas:
        click.echo(f"schema of values: {shown(url)}, as it was there")
    for entry in link.release.helm_releases:
        needs = f", after {', '.join(entry.needs)}" if entry.needs else ""
        click.echo(f"helm release {entry.name}: chart {entry.chart} in namespace {entry.namespace}{needs}")


@command.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--patch", is_flag=True, help="Also the text of changed chart templates, values and manifests.")
@click.option("--sbom", is_flag=True, help="Also which packages of the images changed, by their SBOMs.")
@output_option("release-diff")
@pass_context
def diff(context: Context, old: str, new: str, *, patch: bool, sbom: bool, output: str) -> None:
    """What changed from release OLD to NEW: images, layers, charts, values, with sizes."""
    store = context.store()
    before, after = trusted_release(store, old), trusted_release(store, new)
    changes = diff_releases(before, after)
    boms = _bom_changes(store, before, after) if sbom else []
    history = store.history
    commits = history.find(old).commit, history.find(new).commit
    files = [asdict(change) for change in history.diff(*commits) if change.path not in _GENERATED]
    if output != "table":
        packages = {"sboms": [bom_change_document(each) for each in boms]} if sbom else {}
        show_document({**_diff_document(changes), "files": files, **packages}, output)
        return
    _show_diff(changes, files)
    if sbom:
        show_bom_changes(boms)
    if patch:
        click.echo(printable(history.patch(*commits, [str(entry["path"]) for entry in files])), nl=False)


@command.command("verify")
@click.argument("versions", nargs=-1)
@output_option("release-verification")
@pass_context
def verify(context: Context, versions: tuple[str, ...], output: str) -> None:
    """Verify envelope, tree, commit and tag of VERSIONS; of all releases where none is named.

    Upstream signatures that a release records are verified again, as far as they are here.
    """
    store = context.store()
    links = [verified(store, version) for version in versions] if versions else all_releases(store)
    if not links:
        raise NotFoundError(f"{store.path} holds no release yet")
    trust = store.trust()
    with store.open_blobs() as blobs:
        rows = [
            {
                "version": link.release.version,
                "commit": link.commit[:12],
                "signer": trust.name_of(link.signer),
                "upstream": verify_held(link, store.history.files(link.commit), blobs),
                "recorded": len(recorded(link.release)),
                "state": "good",
            }
            for link in links
        ]
    columns = {
        "version": "VERSION",
        "commit": "COMMIT",
        "signer": "SIGNED BY",
        "upstream": "UPSTREAM",
        "state": "STATE",
    }
    show_rows(rows, output, columns)
    for row in rows:
        if row["upstream"] != row["recorded"]:
            here = f"{row['upstream']} of {row['recorded']} upstream signatures are here"
            context.say(f"release {row['version']}: {here}, and could be verified again")


_GENERATED = frozenset({"release.json", "signatures/release.dsse.json"})


def _artifact_rows(release: Release) -> Iterator[dict[str, Any]]:
    for image in release.images:
        size = sum(blob.size for blob in image.blobs)
        row = {"kind": "image", "name": str(image.reference), "digest": str(image.root.digest)}
        left = {"unavailable": [part.to_json() for part in image.unavailable]} if image.unavailable else {}
        signed = signatures_to_json(image.signatures)
        yield {**row, "blobs": len(image.blobs), "size": size, **left, **signed}
    for chart in release.charts:
        size = sum(blob.size for blob in chart.blobs)
        row = {"kind": "chart", "name": f"{chart.name} {chart.version}", "digest": str(chart.root.digest)}
        yield {**row, "blobs": len(chart.blobs), "size": size}


def _bom_changes(store: StoreDirectory, old: Release, new: Release) -> list[BomChange]:
    with store.open_blobs() as blobs:
        return list(bom_changes(old, new, blobs))


def _diff_document(changes: ReleaseDiff) -> dict[str, Any]:
    artifacts = [
        {**asdict(change), "new_blobs": [blob.to_json() for blob in change.new_blobs]}
        for change in changes.artifacts
    ]
    helm = [asdict(change) for change in changes.helm_releases]
    return {
        "old": changes.old,
        "new": changes.new,
        "new_bytes": changes.new_bytes,
        "artifacts": artifacts,
        "releases": helm,
    }


def _show_diff(changes: ReleaseDiff, files: list[dict[str, Any]]) -> None:
    click.echo(f"{changes.old} -> {changes.new}: {human(changes.new_bytes)} of blobs are new")
    rows = [asdict(change) for change in changes.artifacts]
    columns = {
        "change": "CHANGE", "kind": "KIND", "name": "NAME", "old": "OLD", "new": "NEW",
        "new_bytes": "NEW BYTES", "total_bytes": "OF",
    }  # fmt: skip
    show_rows(rows, "table", columns, "no image or chart changed")
    for change in changes.artifacts:
        for blob in change.new_blobs:
            click.echo(f"  {change.name}: new {blob.media_type} {blob.digest.short} {human(blob.size)}")
    for helm in changes.helm_releases:
        click.echo(f"helm release {helm.name} {helm.change}: {', '.join(helm.fields)}")
    for entry in files:
        click.echo(f"{entry['status']:<9} {printable(entry['path'])}  +{entry['added']} -{entry['removed']}")
