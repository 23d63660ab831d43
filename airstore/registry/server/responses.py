"""Responses of the embedded registry, as values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import chain

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen

JSON = "application/json"


@frozen
class Response:
    """Status, headers and body.

    Attributes:
        length: the body's size in bytes, also where HEAD leaves it out; None where the status allows no body.
        why: for the log, where the status alone does not say it.
    """

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: Iterable[bytes]
    length: int | None
    why: str | None = None


def plain(status: HTTPStatus, body: bytes, media_type: str, *headers: tuple[str, str]) -> Response:
    """A response whose body is in memory."""
    return Response(status, (("Content-Type", media_type), *headers), (body,), len(body))


def as_json(document: object, *headers: tuple[str, str], media_type: str = JSON) -> Response:
    """A document."""
    return plain(HTTPStatus.OK, json.dumps(document).encode(), media_type, *headers)


def error(status: HTTPStatus, code: str, message: str, *headers: tuple[str, str]) -> Response:
    """An error in the form of distribution-spec, "Error Codes"."""
    document = {"errors": [{"code": code, "message": message}]}
    return plain(status, json.dumps(document).encode(), JSON, *headers)


def not_modified(*headers: tuple[str, str]) -> Response:
    """The client has it already."""
    return Response(HTTPStatus.NOT_MODIFIED, headers, (), None)


def primed(chunks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """`exact` with its first piece read at once, so that a fault there can still become an error response.

    Raises:
        DamagedError: as `exact`; otherwise whatever the source raises.
    """
    pieces = exact(chunks, length)
    first = next(pieces, b"")
    return chain((first,), pieces)


def exact(chunks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """Pass a body on so that it ends well only if its source found nothing wrong.

    Sources notice damage at their end, and by then a client must not have got everything it was
    promised: each piece is held until the next one is there, or the source has ended well.

    Raises:
        DamagedError: the source has more or fewer bytes than were promised.
    """
    held, total = b"", 0
    for chunk in filter(None, chunks):
        total += len(chunk)
        if total > length:
            break
        if held:
            yield held
        held = chunk
    if total != length:
        raise DamagedError(f"a body of {length} bytes was promised, its source has {total} or more")
    if held:
        yield held
