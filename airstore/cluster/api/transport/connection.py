"""One connection to an API server: requests, retries while it restarts, and clear errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError, MaxRetryError

from airstore.core.errors import NotFoundError, TransferError
from airstore.core.frozen import frozen
from airstore.core.limits import MIB
from airstore.core.poll import poll
from airstore.core.work import at_work

_CONNECT, _READ = 5.0, 60.0  # seconds
_PAUSE = 0.5  # seconds between attempts
_ANSWER = 64 * MIB  # bytes; a list of many objects
_PIECE = 16 << 10  # bytes
_SAID = 300  # bytes of an answer that are shown
_TAIL = (("limitBytes", str(_ANSWER)), ("tailLines", "10000"))  # of a log
_AGAIN = frozenset({429, 503})
_REPEATABLE = frozenset({"GET", "PATCH", "PUT", "DELETE"})  # our PATCH is server-side apply or a merge
_HINTS = {
    401: "the kubeconfig's credentials are not accepted; log in again",
    403: "the kubeconfig's user lacks this right; ask for it, or use another context",
    422: "the API server does not accept this; fields such as a volume's class cannot be changed later",
}


class ApiError(TransferError):
    """The API server answered, and the answer was no.

    Attributes:
        status: the HTTP status.
        details: the ``Status`` object, possibly empty.
    """

    def __init__(self, message: str, *, status: int, details: Mapping[str, Any], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.details = details


@frozen
class Call:
    """One request.

    Attributes:
        path: as from `path_of`.
        about: what messages call it, such as ``Deployment shop/api``.
        body: sent as JSON.
    """

    method: str
    path: str
    about: str = ""
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content_type: str = "application/json"


class Connection:
    """An API server and who we are there. Also a context manager; threads may share it.

    Args:
        api: configured client.
        retry_for: seconds to go on trying while the server cannot be reached, as when it restarts.
        inside: we run in one of its pods, where names of Services lead to them.
    """

    def __init__(self, api: client.ApiClient, *, retry_for: float = 30.0, inside: bool = False) -> None:
        self.api = api
        self.inside = inside
        self._retry_for = retry_for

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self.api.configuration.host)

    def send(self, call: Call) -> dict[str, Any]:
        """Make a request and return the JSON object of its answer.

        Raises:
            ApiError: the server refused.
            TransferError: the server cannot be reached or broke off.
        """
        for last in poll(self._retry_for, _PAUSE):
            if last:
                break
            try:
                return self._once(call)
            except TransferError as fault:
                passing = not isinstance(fault, ApiError) or fault.status in _AGAIN
                if not passing or call.method not in _REPEATABLE:
                    raise
        return self._once(call)

    def headers(self) -> dict[str, str]:
        """Headers that say who we are; a token that has expired is fetched again."""
        settings = self.api.configuration.auth_settings()
        return {entry["key"]: entry["value"] for entry in settings.values() if entry["in"] == "header"}

    def close(self) -> None:
        """Close the connection."""
        self.api.close()  # type: ignore[no-untyped-call,unused-ignore]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def ask(self, path: str) -> tuple[int, str]:
        """Status and the begin of the answer of one GET, whatever it is; one attempt.

        Raises:
            TransferError: the server cannot be reached or broke off.
        """
        status, data = self._exchange(Call("GET", path))
        return status, data[:_SAID].decode("utf-8", "replace")

    def text(self, path: str, *, limit: int, container: str, previous: bool = False) -> str:
        """The last ``limit`` bytes of a container's log, as text; ``previous``: of the one before it.

        Raises:
            ApiError: the server refused.
            TransferError: the server cannot be reached or broke off.
        """
        query = (*_TAIL, ("container", container), ("previous", str(previous).lower()))
        call = Call("GET", path, query=query)
        status, data = self._exchange(call)
        if status != 200:
            _read(call, status, data)
        return data[-limit:].decode("utf-8", "replace")

    def stream(self, path: str) -> Iterator[bytes]:
        """What the answer of one GET says, piece by piece as it comes.

        Raises:
            ApiError: the server refused.
            TransferError: the server cannot be reached, broke off, or was silent for a minute.
        """
        call = Call("GET", path)
        try:
            answer = self._request(call)
            if answer.status != 200:
                _read(call, answer.status, answer.read(_ANSWER))
            yield from answer.stream(_PIECE)
            answer.release_conn()
        except (HTTPError, OSError) as fault:
            raise _unreachable(self.server, fault) from fault

    def _once(self, call: Call) -> dict[str, Any]:
        return _read(call, *self._exchange(call))

    def _exchange(self, call: Call) -> tuple[int, bytes]:
        try:
            with at_work("%s %s%s", call.method, self.server, call.path):
                answer = self._request(call)
                data: bytes = answer.read(_ANSWER)
                answer.release_conn()
        except (HTTPError, OSError) as fault:
            raise _unreachable(self.server, fault) from fault
        return answer.status, data

    def _request(self, call: Call) -> BaseHTTPResponse:
        query = f"?{urlencode(call.query)}" if call.query else ""
        headers = {"Accept": "application/json, */*", **self.headers()}
        body = None
        if call.body is not None:
            headers["Content-Type"] = call.content_type
            body = json.dumps(call.body).encode()
        answer: BaseHTTPResponse = self.api.rest_client.pool_manager.request(
            call.method,
            f"{self.server}{call.path}{query}",
            body=body,
            headers=headers,
            timeout=Timeout(connect=_CONNECT, read=_READ),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        return answer


def connect(kubeconfig: Path | None, *, context: str | None = None, retry_for: float = 30.0) -> Connection:
    """Connect with a kubeconfig.

    Args:
        kubeconfig: None for ``~/.kube/config``, or in a Pod its service account.
        context: None for the current one.
        retry_for: see `Connection`.

    Raises:
        NotFoundError: no usable kubeconfig.
    """
    path = kubeconfig or Path.home() / ".kube" / "config"
    settings = client.Configuration()
    settings.retries = 0
    inside = not (kubeconfig or path.is_file())
    try:
        # `load_config` would choose like this too, but prints to the terminal while it does.
        if not inside:
            config.load_kube_config(str(path), context=context, client_configuration=settings)  # type: ignore[no-untyped-call,unused-ignore]
        else:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call,unused-ignore]
    except (ConfigException, OSError, KeyError, ValueError, TypeError) as fault:
        raise NotFoundError(
            f"no usable kubeconfig: {fault}", hint="name one with the environment variable KUBECONFIG"
        ) from fault
    return Connection(client.ApiClient(settings), retry_for=retry_for, inside=inside)


def path_of(*parts: str) -> str:
    """A path from its parts, each quoted."""
    return "/" + "/".join(quote(part, safe="") for part in parts if part)


def _read(call: Call, status: int, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data) if data else {}
    except ValueError:
        document = {}
    if 200 <= status < 300:
        return document if isinstance(document, dict) else {}
    details = document if isinstance(document, dict) else {}
    message = str(details.get("message") or f"HTTP status {status}")
    what = f"{call.about}: " if call.about else ""
    raise ApiError(
        f"{what}the API server answered {status}: {message}",
        status=status,
        details=details,
        hint=_HINTS.get(status, ""),
    )


def _unreachable(server: str, fault: Exception) -> TransferError:
    reason = fault.reason if isinstance(fault, MaxRetryError) and fault.reason else fault
    text = str(reason).rpartition(": ")[2] or type(reason).__name__
    hint = "is the cluster running, and is this the right kubeconfig?"
    if "certificate" in str(fault).lower():
        hint = "the kubeconfig's certificate authority is not that of this server"
    return TransferError(f"the API server {server} cannot be reached: {text}", hint=hint)
