"""The endpoints of the embedded registry: from a request to a response, both values.

Source: OCI distribution-spec 1.1, "Pull", "Content Discovery" and "Error Codes". docs/registry.md lists
the endpoints and what is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from http import HTTPStatus
from urllib.parse import urlencode

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.registry.server.catalog import BlobReader, Catalog, Repository, read_document, referrers_of
from airstore.registry.server.ranges import ByteRange, UnsatisfiableRangeError, parse_range
from airstore.registry.server.responses import Response, as_json, error, not_modified, plain, primed

_ROUTE = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers|tags)/(?P<selector>[^/]+)")
_READS = ("GET", "HEAD")


@frozen
class ServerRequest:
    """What matters of a request.

    Attributes:
        path: percent-decoded, without the query.
        query: arguments by name; the last of several counts.
        range: the Range header, or an empty string; likewise ``if_range`` and ``if_none_match``.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    range: str = ""
    if_range: str = ""
    if_none_match: str = ""

    def argument(self, key: str) -> str:
        """One argument of the query, or an empty string."""
        return self.query.get(key, [""])[-1]


class Registry:
    """The endpoints over a catalog and a reader of blobs."""

    def __init__(self, catalog: Catalog, blobs: BlobReader) -> None:
        self._catalog = catalog
        self._blobs = blobs

    def respond(self, request: ServerRequest) -> Response:
        """The response to a request; what a client does wrong is a response as well.

        Raises:
            AirstoreError: the catalog or the store cannot give what it should.
        """
        if request.method not in _READS:
            message = "this registry is read-only; its content comes from airstore media"
            allow = ("Allow", ", ".join(_READS))
            return error(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED", message, allow)
        if request.path in {"/v2", "/v2/"}:
            return as_json({})
        if request.path == "/v2/_catalog":
            return _page(request, "repositories", self._catalog.repositories(), {})
        route = _ROUTE.fullmatch(request.path)
        if route is None:
            return error(HTTPStatus.NOT_FOUND, "UNSUPPORTED", f"no such endpoint: {request.path}")
        name, kind, selector = route["name"], route["kind"], route["selector"]
        repository = self._catalog.repository(name)
        if repository is None:
            return self._absent("NAME_UNKNOWN", f"no repository {name}", name, selector)
        return self._in_repository(request, name, repository, kind, selector)

    def _in_repository(
        self, request: ServerRequest, name: str, repository: Repository, kind: str, selector: str
    ) -> Response:
        if kind == "tags":
            if selector != "list":
                return error(HTTPStatus.NOT_FOUND, "UNSUPPORTED", f"no such endpoint: {request.path}")
            return _page(request, "tags", sorted(repository.tags), {"name": name})
        if (kind != "manifests" or ":" in selector) and not _is_digest(selector):
            return error(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID", f"not a sha256 digest: {selector[:100]}")
        if kind == "manifests":
            return self._manifest(request, name, repository, selector)
        if kind == "blobs":
            return self._blob(request, name, repository, Digest(selector))
        return self._referrers(request, repository, Digest(selector))

    def _absent(self, code: str, message: str, name: str, selector: str) -> Response:
        """Not there; said with the reason where it was there once, to the client and in the log."""
        why = self._catalog.absence(name, selector)
        return replace(error(HTTPStatus.NOT_FOUND, code, f"{message}: {why}" if why else message), why=why)

    def _manifest(self, request: ServerRequest, name: str, repository: Repository, selector: str) -> Response:
        found = repository.document(selector)
        if found is None:
            return self._absent("MANIFEST_UNKNOWN", f"no manifest {selector}", name, selector)
        data = read_document(self._blobs, found)
        if _has_it(request, found):
            return not_modified(*_identity(found))
        return plain(HTTPStatus.OK, data, found.media_type, *_identity(found))

    def _blob(self, request: ServerRequest, name: str, repository: Repository, digest: Digest) -> Response:
        # A blob is served only where it belongs: who may read one repository need not see another.
        blob = repository.blobs.get(digest)
        if blob is None:
            return self._absent("BLOB_UNKNOWN", f"no blob {digest} in this repository", name, str(digest))
        if self._blobs.size(digest) != blob.size:
            raise DamagedError(f"blob {digest} of {blob.size} bytes is not in the store")
        if _has_it(request, blob):
            return not_modified(*_identity(blob))
        try:
            part = _asked_part(request, blob)
        except UnsatisfiableRangeError:
            unsatisfied = ("Content-Range", f"bytes */{blob.size}")
            message = f"{request.range} is outside the blob's {blob.size} bytes"
            status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            return error(status, "RANGE_INVALID", message, unsatisfied)
        return self._part(request, blob, part)

    def _part(self, request: ServerRequest, blob: Descriptor, part: ByteRange | None) -> Response:
        start, stop = (part.start, part.stop) if part else (0, blob.size)
        headers = [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes"), *_identity(blob)]
        if part:
            headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{blob.size}"))
        chunks: Iterable[bytes] = ()
        if request.method == "GET":
            wanted = self._blobs.read(blob.digest, start, stop) if part else self._blobs.read(blob.digest)
            chunks = primed(wanted, stop - start)
        status = HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK
        return Response(status, tuple(headers), chunks, stop - start)

    def _referrers(self, request: ServerRequest, repository: Repository, subject: Digest) -> Response:
        found = referrers_of(repository, subject, self._blobs)
        wanted, headers = request.argument("artifactType"), []
        if wanted:
            found = [entry for entry in found if entry.artifact_type == wanted]
            headers.append(("OCI-Filters-Applied", "artifactType"))
        entries = [entry.to_json() for entry in found]
        index = {"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": entries}
        return as_json(index, *headers, media_type=oci.OCI_INDEX)


def _identity(blob: Descriptor) -> tuple[tuple[str, str], ...]:
    return ("Docker-Content-Digest", str(blob.digest)), ("ETag", f'"{blob.digest}"')


def _has_it(request: ServerRequest, blob: Descriptor) -> bool:
    """Whether the client has the very content already (RFC 9110, section 13.1.2; asked before Range)."""
    tags = [tag.strip().removeprefix("W/") for tag in request.if_none_match.split(",")]
    return "*" in tags or f'"{blob.digest}"' in tags


def _asked_part(request: ServerRequest, blob: Descriptor) -> ByteRange | None:
    if not request.range or request.if_range not in {"", f'"{blob.digest}"'}:
        return None
    return parse_range(request.range, blob.size)


def _page(request: ServerRequest, key: str, names: Iterable[str], document: dict[str, str]) -> Response:
    """One page of a list (distribution-spec, "Listing Tags")."""
    last, limit = request.argument("last"), request.argument("n")
    names = [name for name in names if name > last]
    if not limit:
        return as_json({**document, key: names})
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        return error(HTTPStatus.BAD_REQUEST, "PAGINATION_NUMBER_INVALID", f"not a count: {limit[:20]}")
    page, more = names[: int(limit)], names[int(limit) :]
    if not page or not more:
        return as_json({**document, key: page})
    following = urlencode({"n": limit, "last": page[-1]})
    return as_json({**document, key: page}, ("Link", f'<{request.path}?{following}>; rel="next"'))


def _is_digest(text: str) -> bool:
    try:
        return bool(Digest(text))
    except DamagedError:  # the client's mistake, which becomes a 400
        return False
