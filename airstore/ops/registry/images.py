"""Can the site's nodes pull every image of a release? The registry that they pull from is asked for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.model.release import Image, Release
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ServedRegistry
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.own_registry import PushTarget, readable_registry
from airstore.ops.registry.push import parse_target
from airstore.ops.stores.directory import StoreDirectory
from airstore.registry.client.registry import RegistryClient

_SHOWN = 10


def image_problems(
    store: StoreDirectory,
    release: Release,
    site: SiteFile,
    access: RegistryOptions,
    kubeconfig: Path | None,
    images: Iterable[Image],
) -> list[str]:
    """Which of a release's images nodes could not pull; none where the site file names no registry.

    Raises:
        TransferError: the registry refused or broke off.
    """
    if site.registry.address is None:
        return []
    try:
        with readable_registry(store, release, site, access, kubeconfig) as target:
            missing = list(_missing(target, images))
    except NotFoundError as fault:  # there is no registry in the cluster yet, or none of its pods is ready
        return [f"{fault}; {fault.hint}"]
    shown = missing[:_SHOWN]
    if len(missing) > _SHOWN:
        shown.append(f"... and {len(missing) - _SHOWN} more images")
    if missing:
        served = isinstance(site.registry, ServedRegistry)
        what = "airstore registry serve" if served else f"airstore registry push --release {release.version}"
        shown.append(f"make them available first: {what}")
    return shown


def _missing(target: PushTarget, images: Iterable[Image]) -> Iterator[str]:
    client, _ = parse_target(target.url, target.access)
    with client:
        for image in images:
            if why := _problem(client, image):
                yield f"{target.name} {why}"


def _problem(client: RegistryClient, image: Image) -> str | None:
    try:
        found = client.resolve(image.reference).digest
    except NotFoundError:
        return f"has no image {image.repository}:{image.reference.selector}"
    except DamagedError as fault:
        return f"answers wrongly: {fault}"
    # A registry that refuses incomplete indexes holds one platform's manifest under the tag instead.
    if found == image.root.digest or found in {blob.digest for blob in image.blobs}:
        return None
    name = f"{image.repository}:{image.reference.tag}"
    return f"has other content under {name}: {found}, not {image.root.digest}"
