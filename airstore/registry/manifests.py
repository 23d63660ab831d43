"""Manifests and indexes in a registry, whole and by the digest of their bytes."""

from __future__ import annotations

from airstore.core import oci
from airstore.core.descriptor import Descriptor
from airstore.core.digest import Digest
from airstore.core.errors import DamagedError, TransferError
from airstore.core.limits import LIMITS
from airstore.registry.faults import RefusedError
from airstore.registry.transport import Request, Transport

_ACCEPT = {"Accept": ", ".join(sorted(oci.DOCUMENTS))}
_MISSING = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"})


def read_manifest(transport: Transport, repository: str, selector: str) -> tuple[Descriptor, bytes] | None:
    """A manifest or index by tag or digest, with its bytes; None where there is none.

    Raises:
        DamagedError: the bytes are not what was asked for, or no manifest airstore can ship.
        TransferError: the registry refused or broke off.
    """
    request = Request("GET", repository, f"manifests/{selector}", _ACCEPT)
    try:
        response, data = transport.fetch(request, LIMITS.manifest)
    except RefusedError as fault:
        if is_missing(fault):
            return None
        raise
    what = transport.describe(request)
    digest = Digest.of(data)
    stated = response.headers.get("Docker-Content-Digest", digest)
    for expected in (stated, selector if ":" in selector else digest):
        if expected != digest:
            raise DamagedError(f"{what}: the registry sent {digest} where {expected} is expected")
    media_type = _media_type(response.headers.get("Content-Type", ""), data, what)
    return Descriptor(media_type, digest, len(data)), data


def write_manifest(
    transport: Transport, repository: str, selector: str, media_type: str, data: bytes
) -> None:
    """Put a manifest under its digest or a tag.

    Raises:
        TransferError: the registry refused or broke off.
    """
    path, headers = f"manifests/{selector}", {"Content-Type": media_type}
    transport.send(Request("PUT", repository, path, headers, data, (200, 201, 202))).close()


def is_missing(fault: TransferError) -> bool:
    """Whether a registry refused because it has no such thing."""
    return isinstance(fault, RefusedError) and (fault.status == 404 or bool(_MISSING & set(fault.codes)))


def _media_type(stated: str, data: bytes, what: str) -> str:
    media_type = stated.partition(";")[0].strip().lower()
    if media_type not in oci.DOCUMENTS:
        media_type = oci.media_type_of(data, what)
    oci.parse(data, media_type, what)
    return media_type
