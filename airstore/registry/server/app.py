"""The embedded registry as a WSGI application, with an access log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from airstore.core.errors import AirstoreError
from airstore.core.frozen import frozen
from airstore.registry.server.access import everybody
from airstore.registry.server.catalog import BlobReader, Catalog
from airstore.registry.server.endpoints import Registry, ServerRequest
from airstore.registry.server.responses import Response, error

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_DRAIN = 1 << 16


@frozen
class AccessEntry:
    """One request, for the access log.

    Attributes:
        target: path and query as they were asked for.
        sent: bytes of the body that were handed to the connection.
        seconds: from the request to the end of the response.
        fault: why the response is an error of ours or was broken off; None when all is well.
    """

    client: str
    method: str
    target: str
    status: int
    sent: int
    seconds: float
    fault: str | None = None


def ignore(_access: AccessEntry) -> None:
    """The access log of whoever wants none."""


def make_app(
    catalog: Catalog,
    blobs: BlobReader,
    log: Callable[[AccessEntry], None] = ignore,
    guard: Callable[[str], Response | None] = everybody,
) -> WSGIApplication:
    """A WSGI application that serves a catalog's repositories from a reader of blobs.

    Args:
        catalog: what there is; asked anew for every request.
        blobs: where the bytes come from; verified by it.
        log: called when a response has ended, in the thread that served it.
        guard: given the Authorization header, says why a request is refused.
    """
    registry = Registry(catalog, blobs)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.monotonic()
        _drain(environ)
        try:
            refused = guard(environ.get("HTTP_AUTHORIZATION", ""))
            response = refused or registry.respond(_request(environ))
            fault = response.why
        except AirstoreError as failure:
            # The log gets the reason; clients of a registry need not learn paths on this machine.
            fault = str(failure)
            message = "the store cannot give this; see the log of the registry"
            response = error(HTTPStatus.INTERNAL_SERVER_ERROR, "UNKNOWN", message)
        promised = 0 if environ["REQUEST_METHOD"] == "HEAD" else response.length or 0
        length = [] if response.length is None else [("Content-Length", str(response.length))]
        start_response(
            f"{response.status.value} {response.status.phrase}",
            [
                *response.headers,
                *length,
                ("Docker-Distribution-Api-Version", "registry/2.0"),
            ],
        )

        def ended(sent: int, broken: str | None) -> None:
            log(_access(environ, response.status, sent, time.monotonic() - started, fault or broken))

        body = response.body if promised else ()
        return _ResponseBody(body, promised, ended, environ.get("airstore.sent"))

    return app


class _ResponseBody:
    """A body that tells how it ended. WSGI servers call ``close`` in any case (PEP 3333).

    Our own server takes pieces ahead of sending them and says itself how many bytes it has sent.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        promised: int,
        ended: Callable[[int, str | None], None],
        sent: Callable[[], int] | None = None,
    ) -> None:
        self._chunks = chunks
        self._promised = promised
        self._ended = ended
        self._taken = 0
        self._sent = sent or (lambda: self._taken)
        self._fault: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._chunks:
                yield chunk
                self._taken += len(chunk)
        except AirstoreError as fault:
            # Raised on, so that the server breaks the connection: never a clean end of damaged content.
            self._fault = str(fault)
            raise

    def close(self) -> None:
        """Report to the access log."""
        sent = self._sent()
        cut = "the client broke off" if sent < self._promised else None
        self._ended(sent, self._fault or cut)


def _drain(environ: WSGIEnvironment) -> None:
    """Read a body that nobody asked for, lest it be taken for the next request on the connection.

    The server's own limit bounds it.
    """
    if environ.get("HTTP_TRANSFER_ENCODING") or environ.get("CONTENT_LENGTH", "0") != "0":
        while environ["wsgi.input"].read(_DRAIN):
            pass


def _request(environ: WSGIEnvironment) -> ServerRequest:
    return ServerRequest(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", ""),
        query=parse_qs(environ.get("QUERY_STRING", "")),
        range=environ.get("HTTP_RANGE", ""),
        if_range=environ.get("HTTP_IF_RANGE", ""),
        if_none_match=environ.get("HTTP_IF_NONE_MATCH", ""),
    )


def _access(
    environ: WSGIEnvironment, status: HTTPStatus, sent: int, seconds: float, fault: str | None
) -> AccessEntry:
    query = environ.get("QUERY_STRING", "")
    return AccessEntry(
        client=environ.get("REMOTE_ADDR", ""),
        method=environ["REQUEST_METHOD"],
        target=environ.get("PATH_INFO", "") + (f"?{query}" if query else ""),
        status=status.value,
        sent=sent,
        seconds=seconds,
        fault=fault,
    )
