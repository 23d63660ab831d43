"""Where media are elsewhere: in a registry, or on a web server."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.image.reference import Reference
from airstore.ops.registry.access import RegistryOptions
from airstore.registry.client.artifact import ArtifactRepository
from airstore.registry.client.files import ArtifactFiles, RemoteFiles, WebFiles

MEDIA_KIND = "application/vnd.airstore.media.v1"


def open_files(address: str, access: RegistryOptions) -> RemoteFiles:
    """The files at ``oci://HOST/REPOSITORY[:TAG]`` or below ``https://HOST/PATH``.

    Raises:
        UsageError: neither.
        NotFoundError: no such artifact.
        TransferError: the registry refused or broke off.
    """
    if address.startswith("oci:"):
        place = parse_media_place(address)
        repository = ArtifactRepository(access.client(place.host), place.path)
        try:
            found = repository.find(place.selector, MEDIA_KIND)
            if found is None:
                raise NotFoundError(
                    f"there are no media at {address}",
                    hint="the publisher puts them there: airstore media push",
                )
        except BaseException:
            repository.close()
            raise
        return ArtifactFiles(repository, found)
    parts = urlsplit(address)
    if not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        raise UsageError(
            f"not the address of media: {shown}",
            hint="write https://HOST/DIRECTORY; credentials come from --user or docker's config.json",
        )
    if parts.scheme == "http":
        access = replace(access, plain_http=access.plain_http | {parts.netloc})
    return WebFiles(access.client(parts.netloc), address)


def parse_media_place(text: str) -> Reference:
    """What ``oci://HOST/REPOSITORY[:TAG]`` names.

    Raises:
        UsageError: not of that form.
    """
    try:
        return Reference.parse(text.removeprefix("oci://") if text.startswith("oci://") else "")
    except UsageError as fault:
        raise UsageError(
            f"not a place for media: {text.rpartition('@')[2][:200]!r}",
            hint="write oci://HOST/REPOSITORY[:TAG]",
        ) from fault
