"""One client's connection: its requests one after the other, HTTP/1.1 by h11."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import h11

from airstore.core.frozen import frozen
from airstore.registry.server.http.channel import Channel
from airstore.registry.server.http.gateway import Answer, RequestOrigin, environ_of
from airstore.registry.server.http.limits import BODY_SIZE, HEADER_SIZE, ServerLimits

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_Result = TypeVar("_Result")
_Message = h11.Response | h11.InformationalResponse | h11.Data | h11.EndOfMessage

_RECEIVE = 1 << 16
_QUICK = 0.2  # seconds in which a client has taken some pieces that is not a slow one


@frozen
class Service:
    """What serves requests.

    Attributes:
        app: the application.
        threads: where it runs.
        limits: for every client.
        fault: called with what goes wrong.
    """

    app: WSGIApplication
    threads: Executor
    limits: ServerLimits
    fault: Callable[[str], None]


class _RefusedRequestError(Exception):
    """The request is answered with an error, and the connection closed."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Conversation:
    """Serves a connection to its end.

    Attributes:
        answering: whether a request has arrived whole, and its response has not yet ended.
    """

    def __init__(self, channel: Channel, place: RequestOrigin, service: Service) -> None:
        self.answering = False
        self._channel = channel
        self._place = place
        self._service = service
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_SIZE)
        self._ending = False

    def end_soon(self) -> None:
        """Close behind the response that is under way, or now where there is none; from the loop's thread."""
        self._ending = True
        if not self.answering:
            self._channel.cut()

    def cut(self) -> None:
        """Break it off, whatever is under way; from the loop's thread."""
        self._channel.cut()

    async def run(self) -> None:
        """Serve until either side has had enough.

        Raises:
            TimeoutError: the client was too slow.
            OSError: the connection broke.
        """
        patience = self._service.limits.header
        while await self._one(patience):
            patience = self._service.limits.idle

    async def _one(self, patience: float) -> bool:
        """Serve one request; whether there may be another."""
        try:
            request = await self._request(patience)
            if request is None:
                return False
            self.answering = True
            await self._answer(request)
            self.answering = False
        except h11.RemoteProtocolError as fault:
            await self._refuse(HTTPStatus(fault.error_status_hint), str(fault))
            return False
        except _RefusedRequestError as refused:
            await self._refuse(refused.status, str(refused))
            return False
        if self._ending or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def _request(self, patience: float) -> h11.Request | None:
        """The next request, its body read and dropped; None where the client ends."""
        limits = self._service.limits
        if not self._http.trailing_data[0]:  # nothing of it is here yet
            self._http.receive_data(await self._channel.receive(_RECEIVE, self._channel.after(patience)))
        try:
            request = await self._event(self._channel.after(limits.header))
            if not isinstance(request, h11.Request):
                return None
            _check(request)
            await self._drop_body(self._channel.after(limits.body))
        except TimeoutError as fault:
            raise _RefusedRequestError(HTTPStatus.REQUEST_TIMEOUT, "the request took too long") from fault
        return request

    async def _drop_body(self, deadline: float) -> None:
        """Lest it be taken for the next request."""
        count = 0
        while isinstance(event := await self._event(deadline), h11.Data):
            count += len(event.data)
            if count > BODY_SIZE:
                raise _RefusedRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")

    async def _event(self, deadline: float) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            self._http.receive_data(await self._channel.receive(_RECEIVE, deadline))
        return event  # type: ignore[return-value]

    async def _answer(self, request: h11.Request) -> None:
        environ = environ_of(request, self._place)
        try:
            answer = await self._in_thread(lambda: Answer(self._service.app, environ))
        except Exception as crash:
            self._service.fault(repr(crash))
            raise _RefusedRequestError(
                HTTPStatus.INTERNAL_SERVER_ERROR, "the registry failed; see its log"
            ) from crash
        try:
            await self._head(answer.status, answer.headers)
            await self._body(answer)
        finally:
            await self._in_thread(answer.close)

    async def _body(self, answer: Answer) -> None:
        """Send it; to a client that takes what is there at once, with the next pieces made ready meanwhile.

        Not to others: hundreds of slow ones would each hold pieces in memory that they take minutes later.
        """
        before, quick = self._channel.taken, False
        coming = self._in_thread(answer.pieces)
        try:
            while pieces := await coming:
                slow_from = self._channel.after(_QUICK)
                if quick:
                    coming = self._in_thread(answer.pieces)
                while pieces:
                    await self._send(h11.Data(data=pieces.pop(0)))
                if not quick:
                    coming = self._in_thread(answer.pieces)
                quick = self._channel.after(0) < slow_from
        finally:
            await asyncio.wait((coming,))
            answer.sent = self._channel.taken - before
        await self._send(h11.EndOfMessage())

    async def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._service.fault(f"{self._place.client}: {status.value} {why}")
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        body = f"{why}\n".encode("ascii", "replace")
        headers = [(b"Content-Type", b"text/plain"), (b"Content-Length", str(len(body)).encode())]
        await self._head(status.value, [*headers, (b"Connection", b"close")])
        await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())
        await self._channel.linger()

    async def _head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        own = [(b"Date", formatdate(usegmt=True).encode()), (b"Server", b"airstore")]
        if self._ending:
            own.append((b"Connection", b"close"))
        reason = HTTPStatus(status).phrase.encode()
        await self._send(h11.Response(status_code=status, headers=[*headers, *own], reason=reason))

    async def _send(self, message: _Message) -> None:
        for data in self._http.send_with_data_passthrough(message) or ():
            await self._channel.send(data, self._service.limits.idle)

    def _in_thread(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        return asyncio.get_running_loop().run_in_executor(self._service.threads, work)


def _check(request: h11.Request) -> None:
    """What h11 lets pass: a request that another server on the way would see the end of elsewhere."""
    if len(request.target) + sum(len(name) + len(value) for name, value in request.headers) > HEADER_SIZE:
        raise _RefusedRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the header is too large")
    names = [name for name, _ in request.headers]
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version < b"1.1"):
        raise _RefusedRequestError(
            HTTPStatus.BAD_REQUEST, "Transfer-Encoding goes neither with Content-Length nor with HTTP/1.0"
        )
    if not request.target.startswith(b"/"):
        raise _RefusedRequestError(HTTPStatus.BAD_REQUEST, "the target of a request has to be a path")
    for name, value in request.headers:
        if name == b"content-length" and int(value) > BODY_SIZE:
            raise _RefusedRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
