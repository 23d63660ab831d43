"""WSGI (PEP 3333) for a server that speaks HTTP by h11: what an application is asked, and what it answers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote_to_bytes

from airstore.core.frozen import frozen
from airstore.core.limits import KIB

if TYPE_CHECKING:
    import h11
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_QUOTED_SLASH = re.compile("%2f", re.IGNORECASE)
_WORTH = 256 * KIB  # bytes
_NOT_PREFIXED = {"CONTENT_TYPE", "CONTENT_LENGTH"}


@frozen
class RequestOrigin:
    """Where a request arrived and from whom."""

    scheme: str
    host: str
    port: int
    client: str


def environ_of(request: h11.Request, place: RequestOrigin) -> WSGIEnvironment:
    """What the application is asked; the body of a request has been read and dropped by then.

    A slash that is percent-encoded stays so: ``a%2Fb`` is one segment of a path.
    """
    path, _, query = request.target.decode("ascii").partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method.decode("ascii"),
        "SCRIPT_NAME": "",
        "PATH_INFO": "%2F".join(unquote_to_bytes(p).decode("latin-1") for p in _QUOTED_SLASH.split(path)),
        "QUERY_STRING": query,
        "SERVER_NAME": place.host,
        "SERVER_PORT": str(place.port),
        "SERVER_PROTOCOL": f"HTTP/{request.http_version.decode('ascii')}",
        "REMOTE_ADDR": place.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": place.scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("ascii").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
            continue  # of a body that is not there any more
        key = name if name in _NOT_PREFIXED else f"HTTP_{name}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


class Answer:
    """An application's answer to one request. Every method may be called in another thread, one at a time.

    Attributes:
        status: the number.
        headers: as the application gave them.
        sent: bytes of the body that the client's connection took; set by whoever sends, and told to the
            application as the call ``airstore.sent`` of its environment, for its access log.

    Raises:
        Exception: whatever the application raises.
    """

    def __init__(self, app: WSGIApplication, environ: WSGIEnvironment) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.sent = 0
        self._body: Iterable[bytes] = app({**environ, "airstore.sent": lambda: self.sent}, self._start)
        self._pieces = iter(self._body)
        self._fault: Exception | None = None

    def pieces(self) -> list[bytes]:
        """The next pieces of the body, enough of them to be worth a change of threads; none behind the last.

        What was there before a fault comes first, and the fault with the next call.
        """
        if self._fault:
            raise self._fault
        taken, size = list[bytes](), 0
        try:
            while size < _WORTH and (piece := next(self._pieces, None)) is not None:
                taken.append(piece)
                size += len(piece)
        except Exception as fault:
            if not taken:
                raise
            self._fault = fault
        return taken

    def close(self) -> None:
        """Tell the application that its answer has been sent, or that it will not be."""
        close: Callable[[], None] | None = getattr(self._body, "close", None)
        if close:
            close()

    def _start(
        self, status: str, headers: list[tuple[str, str]], _fault: object = None, /
    ) -> Callable[[bytes], NoReturn]:
        self.status = int(status[:3])
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _no_writing


def _no_writing(_data: bytes) -> NoReturn:
    raise TypeError("an application has to return its body here; PEP 3333 keeps write() for old frameworks")
