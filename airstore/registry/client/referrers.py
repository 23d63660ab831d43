"""What is attached to an image: the referrers API, its fallback tag, and cosign's tags.

Sources: OCI distribution-spec 1.1 ("Listing Referrers", "Referrers Tag Schema"), cosign's tag scheme.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urljoin

from airstore.core.errors import DamagedError, TransferError
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.oci import Manifest
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.registry.answer import HttpAnswer
from airstore.registry.client.manifests import read_manifest
from airstore.registry.client.transport import RegistryRequest, Transport
from airstore.registry.faults import RefusedError
from airstore.registry.source import REF_NAME, PartialListError

_COSIGN = (".sig", ".att", ".sbom")
_NO_API = frozenset({400, 404, 405, 406, 501})  # how registries without the API answer
_LINK = re.compile(r"<(?P<url>[^>]*)>(?P<about>[^<]*)")  # RFC 8288
_NEXT = re.compile(r";\s*rel=\"?next\b", re.IGNORECASE)
_PAGES = 100  # at most, of one listing


def referrers_tag(subject: Digest) -> str:
    """The tag that stands in for the referrers API."""
    return f"sha256-{subject.hex}"


def find_referrers(transport: Transport, repository: str, subject: Digest) -> list[Descriptor]:
    """Everything attached to a manifest, each once; where one way of listing fails the others are tried.

    Raises:
        PartialListError: not every way worked; it carries what was found.
    """
    listed: list[Descriptor] = []
    faults: list[str] = []
    try:
        found = list_by_api(transport, repository, subject)
    except (DamagedError, TransferError) as fault:
        faults.append(str(fault))
        found = None
    if found is None:
        listed += _tried(lambda: list_by_tag(transport, repository, subject), faults)
    else:
        listed += found
    for suffix in _COSIGN:
        tag = referrers_tag(subject) + suffix
        listed += _tried(lambda tag=tag: _by_cosign(transport, repository, tag), faults)  # type: ignore[misc]
    unique = list({descriptor.digest: descriptor for descriptor in listed}.values())
    if faults:
        raise PartialListError(faults[0], unique)
    return unique


def _tried(ask: Callable[[], list[Descriptor]], faults: list[str]) -> list[Descriptor]:
    try:
        return ask()
    except (DamagedError, TransferError) as fault:
        faults.append(str(fault))
        return []


def _by_cosign(transport: Transport, repository: str, tag: str) -> list[Descriptor]:
    found = read_manifest(transport, repository, tag)
    return [replace(found[0], annotations={REF_NAME: tag})] if found else []


def list_by_api(transport: Transport, repository: str, subject: Digest) -> list[Descriptor] | None:
    """What the referrers API lists; None where the registry has no such API.

    Raises:
        DamagedError: the listing is not an index.
        TransferError: the registry refused or broke off.
    """
    found: list[Descriptor] = []
    path = f"referrers/{subject}"
    for _ in range(_PAGES):
        request = RegistryRequest("GET", repository, path)
        try:
            response, data = transport.fetch(request, LIMITS.manifest)
        except RefusedError as fault:
            if fault.status in _NO_API:
                return None
            raise
        if oci.OCI_INDEX not in response.headers.get("Content-Type", ""):
            return None  # a web page, from something that answers every path
        found += oci.parse(data, oci.OCI_INDEX, transport.describe(request)).manifests
        following = _next_page(response)
        if following is None:
            return found
        path = following
    raise TransferError(
        f"{transport.endpoint.host}/{repository}: more than {_PAGES} pages of referrers of {subject}"
    )


def list_by_tag(transport: Transport, repository: str, subject: Digest) -> list[Descriptor]:
    """What the fallback tag lists; nothing where it is no index, as the specification has it.

    GitLab's registry, for one, answers ``sha256-<hex>`` with the manifest of that digest.

    Raises:
        DamagedError: the index is not what the specification says.
        TransferError: the registry refused or broke off.
    """
    return list(read_listing(transport, repository, subject)[0])


def read_listing(
    transport: Transport, repository: str, subject: Digest
) -> tuple[tuple[Descriptor, ...], Digest | None]:
    """What the fallback tag lists; and what it names if that is no index.

    Raises:
        DamagedError: the index is not what the specification says.
        TransferError: the registry refused or broke off.
    """
    found = read_manifest(transport, repository, referrers_tag(subject))
    if found is None:
        return (), None
    descriptor, data = found
    if descriptor.media_type != oci.OCI_INDEX or descriptor.digest == subject:
        return (), descriptor.digest
    what = f"{transport.endpoint.host}/{repository}:{referrers_tag(subject)}"
    return oci.parse(data, oci.OCI_INDEX, what).manifests, None


def describe(root: Descriptor, manifest: Manifest) -> Descriptor:
    """A referrer as listings show it: with the type of artifact and the manifest's annotations."""
    kind = manifest.artifact_type or (manifest.config.media_type if manifest.config else "")
    return Descriptor(
        root.media_type, root.digest, root.size, artifact_type=kind, annotations=manifest.annotations
    )


def with_referrers(listed: list[Descriptor], new: list[Descriptor]) -> bytes | None:
    """The fallback tag's index with new entries; None where it has them all already."""
    known = {descriptor.digest for descriptor in listed}
    added = [descriptor for descriptor in new if descriptor.digest not in known]
    if not added:
        return None
    document = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_INDEX,
        "manifests": [descriptor.to_json() for descriptor in [*listed, *added]],
    }
    return strictjson.dumps(document)


def _next_page(response: HttpAnswer) -> str | None:
    links = _LINK.finditer(response.headers.get("Link", ""))
    return next((urljoin(response.url, link["url"]) for link in links if _NEXT.search(link["about"])), None)
