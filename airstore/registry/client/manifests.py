"""Manifests and indexes in a registry, whole and by the digest of their bytes."""

from __future__ import annotations

from airstore.core.errors import DamagedError, TransferError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.registry.answer import HttpAnswer
from airstore.registry.client.transport import RegistryRequest, Transport
from airstore.registry.faults import RefusedError, UnwellError

_ACCEPT = {"Accept": ", ".join(sorted(oci.DOCUMENTS))}
_FORBIDDEN = frozenset({405, 501})
_MISSING = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"})


@frozen
class FoundManifest:
    """A manifest or index as a registry gave it.

    Attributes:
        descriptor: its media type, digest and size, of the bytes.
        data: the bytes.
        vouched: the registry says (``Docker-Content-Digest``) that it keeps them under this digest.
    """

    descriptor: Descriptor
    data: bytes
    vouched: bool


def read_manifest(transport: Transport, repository: str, selector: str) -> tuple[Descriptor, bytes] | None:
    """A manifest or index by tag or digest, with its bytes; None where there is none.

    Raises:
        DamagedError: the bytes are not what was asked for, or no manifest airstore can ship.
        TransferError: the registry refused or broke off.
    """
    found = find_manifest(transport, repository, selector)
    return (found.descriptor, found.data) if found else None


def find_manifest(transport: Transport, repository: str, selector: str) -> FoundManifest | None:
    """`read_manifest`, and what the registry says of the digest.

    Raises:
        DamagedError: the bytes are not what was asked for, or no manifest airstore can ship.
        TransferError: the registry refused or broke off.
    """
    request = RegistryRequest("GET", repository, f"manifests/{selector}", _ACCEPT)
    try:
        response, data = transport.fetch(request, LIMITS.manifest)
    except RefusedError as fault:
        if is_missing(fault):
            return None
        raise
    what = transport.describe(request)
    if _is_page(response) and not data.lstrip().startswith(b"{"):
        raise TransferError(
            f"{what}: the answer is a web page, not a manifest",
            hint="is that the registry's address? a login page or a proxy may stand in between",
        )
    digest = Digest.of(data)
    # What a registry says of a tag's digest in a header is not believed, so it cannot be wrong either.
    if ":" in selector and selector != digest:
        raise DamagedError(f"{what}: the registry sent {digest} where {selector} is expected")
    media_type = _media_type(response.headers.get("Content-Type", ""), data, what)
    vouched = response.headers.get("Docker-Content-Digest", "") == digest
    return FoundManifest(Descriptor(media_type, digest, len(data)), data, vouched)


def has_manifest(transport: Transport, repository: str, selector: str) -> bool:
    """Whether a registry says so to a HEAD; a no may only mean that it does not answer those.

    Raises:
        TransferError: the registry cannot be reached.
    """
    request = RegistryRequest("HEAD", repository, f"manifests/{selector}", _ACCEPT)
    try:
        response = transport.send(request)
    except (RefusedError, UnwellError):  # some fail over HEAD only
        return False
    response.close()
    return not _is_page(response)


def write_manifest(
    transport: Transport, repository: str, selector: str, media_type: str, data: bytes
) -> None:
    """Put a manifest under its digest or a tag.

    Raises:
        TransferError: the registry refused or broke off.
    """
    path, headers = f"manifests/{selector}", {"Content-Type": media_type}
    transport.send(RegistryRequest("PUT", repository, path, headers, data, (200, 201, 202))).close()


def delete_manifest(transport: Transport, repository: str, selector: str) -> bool:
    """Delete a manifest by digest, with the tags that name it, or a tag; whether it was there.

    Raises:
        TransferError: the registry does not allow it, or broke off.
    """
    request = RegistryRequest("DELETE", repository, f"manifests/{selector}", expect=(200, 202, 204))
    try:
        transport.send(request).close()
    except RefusedError as fault:
        if is_missing(fault):
            return False
        if fault.status in _FORBIDDEN:
            fault.hint = (
                "a registry has to allow it: REGISTRY_STORAGE_DELETE_ENABLED=true for docker-registry"
            )
        raise
    return True


def is_missing(fault: TransferError) -> bool:
    """Whether a registry refused because it has no such thing."""
    return isinstance(fault, RefusedError) and (fault.status == 404 or bool(_MISSING & set(fault.codes)))


def _is_page(response: HttpAnswer) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def _media_type(header: str, data: bytes, what: str) -> str:
    """What a document is: what it says itself; proxies and caches serve it as whatever they like."""
    stated = header.partition(";")[0].strip().lower()
    media_type = oci.media_type_of(data, what, stated if stated in oci.DOCUMENTS else "")
    oci.parse(data, media_type, what)
    return media_type
