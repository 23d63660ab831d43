"""``airstore release create``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.author import author_option, read_author
from airstore.cli.options.files.productfile import product_file
from airstore.cli.options.helm import find_helm, helm_option, kube_version_option
from airstore.cli.options.mediabase import base_options
from airstore.cli.options.registries import registry_access, with_sources
from airstore.cli.options.secrets import agent_socket, ask_passphrase, key_option, passphrase_option
from airstore.cli.views.attachments import say_unavailable
from airstore.cli.views.notices import notice_fields, say_notices
from airstore.cli.views.output import output_option, show_rows, show_with
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.history.git.names import check_version
from airstore.ops.publish.contents import ReleaseContents, gather
from airstore.ops.publish.create import Created, Intake, check_contents, create_release
from airstore.ops.publish.keys import load_key, root_keys_here
from airstore.ops.publish.pending import Signing, check_no_other
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.stores.releases.trusted import verified
from airstore.process.heaps import one_heap
from airstore.trust.ssh.signing import SigningKey


@click.command("create")
@click.option("--version", required=True, help="Version of the product, such as 1.4.0.")
@click.option(
    "--image-source",
    "sources",
    multiple=True,
    metavar="PATTERN=PLACE",
    help="Where images are: oci:DIR, oci-archive:FILE, docker-archive:FILE, docker://HOST[/PREFIX].",
)
@author_option
@click.option("--dry-run", is_flag=True, help="Check everything, the images' sources too; take nothing in.")
@click.option("--strict", is_flag=True, help="Fail over anything that a person should decide.")
@click.option(
    "--require-attachments",
    is_flag=True,
    help="Fail where a signature, an SBOM or another optional part of an image cannot be had.",
)
@click.option(
    "--effort",
    type=click.Choice(["fast", "normal"]),
    default="normal",
    show_default=True,
    help="How much time small updates are worth now; fast: layers stay as they come, and are opened when a"
    " delta rests on them, or by `airstore store optimize`.",
)
@click.option(
    "--media",
    "out",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Then write media for it into the new directory OUT, in one go, with the same effort: full ones, or"
    " what --from and --receipt lack.",
)
@base_options(
    "With --media, as media create has it: the release that sites hold already.",
    "With --media, as media create has it: a site's receipt.",
)
@kube_version_option
@helm_option
@registry_access
@key_option
@passphrase_option
@output_option("release-created", "release-source-list")
@pass_context
def command(
    context: Context,
    *,
    version: str,
    sources: tuple[str, ...],
    author: str,
    dry_run: bool,
    strict: bool,
    kube_versions: tuple[str, ...],
    require_attachments: bool,
    effort: str,
    out: Path | None,
    base_versions: tuple[str, ...],
    receipts: tuple[Path, ...],
    helm_path: Path | None,
    access: RegistryOptions,
    key_name: str,
    passphrase_file: Path | None,
    output: str,
) -> None:
    """Resolve charts, find and ingest images, then commit and sign the release.

    With --media the release's media are written afterwards, as airstore media create does. Where that fails,
    the release stays, and that command makes them.
    """
    store = context.store(PUBLISHER, "release create", current=True)
    check_version(version)
    check_no_other(store, version)
    making = _making(store, version, effort, out, (base_versions, receipts), dry_run=dry_run)
    who, now = read_author(author, store), context.now()
    helm = find_helm(helm_path)
    access = with_sources(access, sources)
    contents = gather(product_file(store), helm, access, kube_versions, store)
    say_notices(context, contents.notices, strict=strict)
    key = load_key(store, key_name, ask_passphrase(passphrase_file), agent_socket())
    if dry_run:
        check_contents(store, contents, access)
        _show_places(contents, access, output)
        return
    if effort == "fast":
        one_heap()  # not where layers are opened: that would take longer
    intake = Intake(complete=require_attachments or strict, opening=effort != "fast")
    created = create_release(
        store, contents, version, access, Signing(key, who, now), context.progress, intake
    )
    say_unavailable(context, created.release)
    _warn_sparse(context, created.release)
    if created.lacks:
        context.say(
            f"release {version} is pending: it needs {created.lacks} more signatures",
        )
        context.next(f"airstore release sign {version}")
    changed = created.commit or created.lacks
    if changed and (lying := root_keys_here(store)):
        context.say(
            f"warning: the root key {', '.join(lying)} lies in {store.keys}: whoever steals this machine "
            "cannot be locked out; move it away"
        )
    quick = " --effort fast" if effort == "fast" else ""
    if created.commit and not making:
        context.next(f"airstore media create --to {version}{quick} OUT")
    made = (lambda: _media(context, store, key, making, output)) if making else None
    show_with(_summary(created) | notice_fields(contents.notices, output), "media", made, output)


@frozen
class _MediaAsked:
    version: str
    effort: str
    out: Path
    base_versions: tuple[str, ...]
    receipts: tuple[Path, ...]

    def words(self) -> str:
        """As arguments of ``media create``."""
        since = [word for each in self.base_versions for word in ("--from", each)]
        since += [word for each in self.receipts for word in ("--receipt", str(each))]
        return shlex.join(["--to", self.version, "--effort", self.effort, *since, str(self.out)])


def _making(
    store: StoreDirectory,
    version: str,
    effort: str,
    out: Path | None,
    base: tuple[tuple[str, ...], tuple[Path, ...]],
    *,
    dry_run: bool,
) -> _MediaAsked | None:
    """What media are asked for, refused before anything is taken in where they could not be made."""
    if out is None:
        if any(base):
            raise UsageError("--from and --receipt are about media", hint="name a directory with --media OUT")
        return None
    if dry_run:
        hint = "create the release, then `airstore media create --dry-run` says what media would be"
        raise UsageError("--dry-run takes nothing in that --media could carry", hint=hint)
    if store.trust_root().release_role.threshold > 1:
        hint = "make them with `airstore media create` once enough keys have signed the release"
        raise UsageError("--media cannot wait for the others who sign a release here", hint=hint)
    from airstore.media.writer import check_free  # noqa: PLC0415 - who makes no media does without
    from airstore.ops.media.receipts import read_receipt  # noqa: PLC0415

    check_free(out)
    versions, receipts = base
    for each in versions:
        verified(store, each)
    for receipt in receipts:
        read_receipt(store, receipt)
    return _MediaAsked(version, effort, out, versions, receipts)


def _media(
    context: Context, store: StoreDirectory, key: SigningKey, making: _MediaAsked, output: str
) -> dict[str, Any]:
    """What ``airstore media create`` does, and is left to do where this fails; its fields."""
    from airstore.cli.views.mediamaking import (  # noqa: PLC0415 - who makes no media does without
        as_shown,
        media_bases,
        nothing_to_bring,
        plan_said,
        written,
    )
    from airstore.media.delta.effort import Effort  # noqa: PLC0415
    from airstore.ops.media.create import MediaForm  # noqa: PLC0415

    version, receipts, effort = making.version, making.receipts, Effort(making.effort)
    try:
        bases = media_bases(context, store, version, making.base_versions, receipts)
        if bases is None:
            return nothing_to_bring(store, version, receipts)
        with store.open_blobs() as blobs:
            plan, summary = plan_said(context, store, blobs, version, bases, effort)
            made = written(context, store, blobs, plan, making.out, key, MediaForm(effort))
            return as_shown(summary | made, output)
    except BaseException:
        context.next(f"airstore media create {making.words()}")
        raise


def _show_places(contents: ReleaseContents, access: RegistryOptions, output: str) -> None:
    rows = [{"kind": "chart", "name": f"{c.name} {c.version}", "from": c.source} for c in contents.charts]
    places = access.places(contents.product, contents.references)
    rows += [{"kind": "image", "name": str(image), "from": place} for image, place in places.items()]
    columns = {"kind": "KIND", "name": "NAME", "from": "FROM"}
    show_rows(
        rows, output, columns, schema="release-source-list", beside=notice_fields(contents.notices, output)
    )


def _warn_sparse(context: Context, release: Release) -> None:
    for image in release.images:
        unavailable = {part.digest for part in image.unavailable}
        other = {str(child.platform) for child in image.missing if child.digest not in unavailable}
        if other:
            left = ", ".join(sorted(other))
            context.say(
                f"{image.reference} travels without {left}: registries that refuse incomplete indexes "
                "get one platform's manifest under the tag"
            )


def _summary(created: Created) -> dict[str, Any]:
    release = created.release
    signed = sum(bool(image.signatures) for image in release.images)
    return {
        "version": release.version,
        "state": _state(created),
        "sequence": release.sequence,
        "commit": created.commit or None,
        "images": len(release.images),
        "charts": len(release.charts),
        "blobs": len(release.blobs()),
        "total_bytes": sum(blob.size for blob in release.blobs().values()),
        "new_blobs": created.ingested.new_blobs,
        "new_stored_bytes": created.ingested.new_bytes,
        **({"signed_images": signed} if signed else {}),
        **({"unavailable": _unavailable(release)} if any(i.unavailable for i in release.images) else {}),
    }


def _state(created: Created) -> str:
    if created.lacks:
        return f"pending: {created.lacks} signatures are missing"
    return "created" if created.commit else "unchanged: it exists with the same content"


def _unavailable(release: Release) -> list[str]:
    return [f"{image.reference}: {part}" for image in release.images for part in image.unavailable]
