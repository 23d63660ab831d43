"""``airstore registry push``: what a real registry lacks, sent, and read back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Platform
from airstore.core.image.reference import Reference
from airstore.core.model.release import Release
from airstore.core.progress import Progress
from airstore.history import ledger
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.releases.summaries import every_blob, summaries
from airstore.ops.stores.site import anchors, ledgers
from airstore.registry.client.registry import RegistryClient
from airstore.registry.push.plan import PushPlan, plan_push
from airstore.registry.push.push import PushResult, push
from airstore.store.blobs import BlobStore

UPLOADS = 4  # at once, where nobody says how many
_TIMEOUT = 600.0  # seconds that an import may take while a push that is done waits to say so in the ledger


@frozen
class RegistryPlan:
    """What a push of a release would send.

    Attributes:
        registry: host and prefix; empty when none was named, and then everything counts as lacking.
    """

    registry: str
    upload_blobs: int
    upload_bytes: int
    present_blobs: int
    present_bytes: int

    def summary(self) -> dict[str, Any]:
        """For listings."""
        return dict(vars(self))


@frozen
class PushOptions:
    """How to carry a push out.

    Attributes:
        jobs: transfers at once.
        now: seconds since the epoch, for the ledger.
        keep_tags: leave tags alone that no release of this product has moved: several products push there.
    """

    progress: Progress
    jobs: int
    now: int
    keep_tags: bool = False


def parse_target(text: str, access: RegistryOptions) -> tuple[RegistryClient, str]:
    """A client for ``[http://|https://]HOST[/PREFIX]``, and how to call the target.

    Raises:
        UsageError: not of that form.
    """
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, prefix = parts.netloc, parts.path.strip("/")
        Reference.parse(f"host.example/{prefix or 'any'}/any")  # every repository will begin with the prefix
        usable = parts.port != 0 and not set(host) & set("@ \t") and not parts.query and not parts.fragment
    except (ValueError, UsageError):
        usable = False
    if not usable or parts.scheme not in {"http", "https"} or not parts.hostname:
        shown = text.rpartition("@")[2]  # what is before it may be a password
        raise UsageError(
            f"not a registry: {shown!r}",
            hint="write HOST[:PORT][/PREFIX], the prefix in lower case; give credentials with --user or "
            "docker's config.json",
        )
    if parts.scheme == "http":
        access = replace(access, plain_http=access.plain_http | {host})
    return access.client(host, prefix), f"{host}/{prefix}".rstrip("/")


def plan_registry(
    blobs: BlobStore, release: Release, target: str | None, access: RegistryOptions
) -> RegistryPlan:
    """Compare a release with what a registry has, or with none; nothing is sent.

    Raises:
        TransferError: the registry refused or broke off.
    """
    if not target:
        every = release.blobs().values()
        return RegistryPlan("", len(every), sum(blob.size for blob in every), 0, 0)
    client, name = parse_target(target, access)
    with client:
        planned = plan_push(client, release.artifacts, blobs, _platforms(release))
    return _summary(name, planned)


def push_release(
    store: StoreDirectory,
    blobs: BlobStore,
    release: Release,
    target: str,
    access: RegistryOptions,
    run: PushOptions,
    name: str = "",
) -> tuple[RegistryPlan, PushResult]:
    """Send what is lacking, read it back, and at a site write a line into the ledger.

    Args:
        store: a publisher's or a site's.
        blobs: the store's blobs.
        release: what to push.
        target: the registry, as `parse_target` reads it.
        access: how to reach it.
        run: how to push.
        name: what the ledger calls it, where it is reached by another name.

    Raises:
        TransferError: the registry refused, stalled or broke off; what arrived stays and is not sent again.
        DamagedError: the store or the registry gave other bytes than the digests say.
        UsageError: tags that would have to be kept are in the way; nothing was sent.
    """
    if store.side == SITE:
        ledgers.require_whole(store)
        anchors.require_anchored(store)
        ledgers.site_key(store)  # without it the push could not be recorded
    client, address = parse_target(target, access)
    name = name or address
    with client:
        planned = plan_push(client, release.artifacts, blobs, _platforms(release))
        if run.keep_tags and planned.current:
            _refuse_foreign(store, planned, release.product)
        with run.progress.task(f"pushing to {client.host}", planned.upload_bytes) as advance:
            result = push(client, planned, blobs, advance, jobs=run.jobs)
    summary = _summary(name, planned)
    if store.side == SITE:
        details: dict[str, str | int] = {"registry": name, "uploaded_bytes": summary.upload_bytes}
        entry = ledger.Entry("push", release.version, "succeeded", run.now, details)
        with store.locked(_TIMEOUT):
            anchors.record(store, entry)
    return summary, result


def _refuse_foreign(store: StoreDirectory, planned: PushPlan, product: str) -> None:
    """Tags name what this product has pushed, or the other products of the registry lose their images."""
    ours = every_blob(summaries(store))
    foreign = [f"{tag.repository}:{tag.name} ({digest.short})" for tag, digest in planned.current.items()
               if digest not in ours]  # fmt: skip
    if foreign:
        raise UsageError(
            f"{planned.host} has other images under tags that {product} brings, too, and no release of"
            f" {product} ever had them: {', '.join(sorted(foreign))}; nothing was pushed",
            hint="another product of the registry needs them: give this product a registry of its own, or"
            " let one of the vendors use other tags",
        )


def _summary(name: str, planned: PushPlan) -> RegistryPlan:
    present = [placed.blob for placed in planned.present]
    return RegistryPlan(
        registry=name,
        upload_blobs=len(planned.uploads),
        upload_bytes=planned.upload_bytes,
        present_blobs=len(present),
        present_bytes=sum(blob.size for blob in present),
    )


def _platforms(release: Release) -> list[Platform]:
    return [Platform.parse(text) for text in release.platforms]
