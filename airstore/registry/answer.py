"""What an HTTP server answered."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import LocationParseError

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpAnswer:
    """The head of an answer; its body is still to be read from ``raw``.

    Attributes:
        url: who answered, after redirects.
        method: what was asked in the end; a redirect may have made a GET of it.
        authorization: what was sent as such, or None.
        moved: whether redirects were followed.
    """

    def __init__(
        self, raw: BaseHTTPResponse, method: str, url: str, authorization: str | None, *, moved: bool
    ) -> None:
        self.raw, self.headers = raw, raw.headers
        self.status_code, self.reason = raw.status, raw.reason or ""
        self.method, self.url, self.authorization, self.moved = method, url, authorization, moved

    @property
    def location(self) -> str | None:
        """Where a redirect leads, as a whole URL; None where it is none.

        Raises:
            LocationParseError: nowhere that could be asked.
        """
        value = self.headers.get("Location") if self.status_code in _REDIRECTS else None
        if value is None:
            return None
        try:
            found = urljoin(self.url, value.encode("latin-1").decode())  # http.client takes bytes for Latin-1
            urlsplit(found).port  # noqa: B018 - asking for it is what finds it wrong
        except ValueError as fault:
            raise LocationParseError(value) from fault
        return found

    @property
    def ok(self) -> bool:
        """Whether it is no error."""
        return self.status_code < 400

    def close(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        self.raw.close()
        self.raw.release_conn()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
