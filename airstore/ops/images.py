"""Can the site's nodes pull every image of a release? The registry that they pull from is asked for each."""

from __future__ import annotations

from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.release import Image, Release
from airstore.core.site import SiteFile
from airstore.ops.access import Access
from airstore.ops.push import parse_target
from airstore.registry.client import RegistryClient

_SHOWN = 10


def image_problems(release: Release, site: SiteFile, access: Access) -> list[str]:
    """What nodes could not pull; empty if all is there, or if the site file names no registry.

    Raises:
        TransferError: the registry refused or broke off.
    """
    host = site.registry_address
    if not host:
        return []
    client, _ = parse_target(host, access)
    with client:
        missing = [why for image in release.images if (why := _problem(client, image))]
    shown = missing[:_SHOWN]
    if len(missing) > _SHOWN:
        shown.append(f"... and {len(missing) - _SHOWN} more images")
    if missing:
        shown.append(f"push them first: airstore registry push {host} --release {release.version}")
    return shown


def _problem(client: RegistryClient, image: Image) -> str:
    try:
        found = client.resolve(image.reference).digest
    except NotFoundError:
        return f"{client.host} has no image {image.repository}:{image.reference.selector}"
    except DamagedError as fault:
        return f"{client.host}: {fault}"
    # A registry that refuses incomplete indexes holds one platform's manifest under the tag instead.
    if found == image.root.digest or found in {blob.digest for blob in image.blobs}:
        return ""
    name = f"{image.repository}:{image.reference.tag}"
    return f"{client.host} has other content under {name}: {found}, not {image.root.digest}"
