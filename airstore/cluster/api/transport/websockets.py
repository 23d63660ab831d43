"""Websockets to a pod through the API server, as ``kubectl port-forward`` and ``kubectl exec`` use them."""

from __future__ import annotations

import json

from kubernetes.stream.ws_client import create_websocket, get_websocket_url
from websocket import WebSocket, WebSocketBadStatusException, WebSocketException

from airstore.cluster.api.transport.connection import Connection
from airstore.core.errors import TransferError


def open_websocket(connection: Connection, path: str, what: str, right: str) -> WebSocket:
    """Open one.

    Args:
        connection: to the API server.
        path: with its query.
        what: what messages call the other end.
        right: what one must be allowed to create for it.

    Raises:
        TransferError: refused or unreachable.
    """
    try:
        made: WebSocket = create_websocket(  # type: ignore[no-untyped-call,unused-ignore]
            connection.api.configuration,
            get_websocket_url(f"{connection.server}{path}"),  # type: ignore[no-untyped-call,unused-ignore]
            connection.headers(),
        )
    except (WebSocketException, OSError, ValueError) as fault:
        hint = f"this needs the right to create {right}" if _status(fault) == 403 else ""
        raise TransferError(
            f"{what} cannot be reached through the API server: {_said(fault)}", hint=hint
        ) from fault
    return made


def _status(fault: Exception) -> int:
    return fault.status_code if isinstance(fault, WebSocketBadStatusException) else 0


def _said(fault: Exception) -> str:
    if isinstance(fault, WebSocketBadStatusException) and fault.resp_body:
        try:
            return str(json.loads(fault.resp_body)["message"])
        except (ValueError, KeyError, TypeError):
            pass
    return str(fault).partition(" -+-+- ")[0]
