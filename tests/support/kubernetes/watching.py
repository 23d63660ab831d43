"""What happens to objects of a kind, as an API server tells whoever watches it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

from airstore.cluster.api.transport.connection import Connection
from airstore.core.errors import TransferError

_ROUND = 1  # seconds


def changing(connection: Connection, path: str, ended: threading.Event) -> Iterator[dict[str, Any]]:
    """Every object under a path when it changes, and all of them each second, until ``ended`` is set.

    Asking for the list several times a second would be simpler and take a twentieth of a core. A server that
    is away is asked again.
    """
    while not ended.is_set():
        try:
            for line in _lines(connection, f"{path}?watch=true&timeoutSeconds={_ROUND}"):
                event = json.loads(line)
                if event["type"] in {"ADDED", "MODIFIED"}:
                    yield event["object"]
        except (TransferError, KeyError, RuntimeError):
            # A request copies the environment, which tests change meanwhile: the next round does it then.
            ended.wait(0.3)


def _lines(connection: Connection, path: str) -> Iterator[bytes]:
    rest = b""
    for piece in connection.stream(path):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
