"""Streaming a blob from a registry, going on with ``Range`` after a broken connection (RFC 9110, 14)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from airstore.core.errors import NotFoundError, TransferError
from airstore.core.limits import KIB, MIB
from airstore.registry.answer import HttpAnswer
from airstore.registry.client.transport import RegistryRequest, Transport
from airstore.registry.faults import RefusedError, TransientError, network_errors

_CHUNK = 256 * KIB  # bytes
_PROGRESS = 1 * MIB  # bytes after which a connection counts as having worked
_CONTENT_RANGE = re.compile(r"bytes (\d+)-")


class Download:
    """An iterable of the bytes of one blob; nothing is verified but the length.

    Args:
        transport: the registry.
        request: a GET of the blob.
        size: bytes of the blob.
        start: bytes that are here already.
    """

    def __init__(self, transport: Transport, request: RegistryRequest, size: int, start: int = 0) -> None:
        self._transport = transport
        self._request = request
        self._size = size
        self._begun = start
        self._what = transport.describe(request)

    def __iter__(self) -> Iterator[bytes]:
        """The bytes.

        Raises:
            NotFoundError: the registry has no such blob.
            TransferError: the registry refused, or broke off more often than is bearable.
        """
        retry = self._transport.endpoint.retry
        offset, failures, progress = self._begun, 0, 0
        while True:
            try:
                for chunk in self._from(offset):
                    offset += len(chunk)
                    progress += len(chunk)
                    yield chunk
            except TransientError as fault:
                # Each megabyte that arrived earns new attempts, so that their number stays bounded.
                failures, progress = (0, 0) if progress >= _PROGRESS else (failures, progress)
                if failures >= retry.retries:
                    raise
                time.sleep(retry.wait(failures, fault))
                failures += 1
            else:
                return

    def _from(self, offset: int) -> Iterator[bytes]:
        if offset and offset == self._size:
            return
        with self._open(offset) as response:
            skip = offset - begins_at(response, self._what)
            received = offset - skip
            with network_errors(self._what, self._transport.endpoint.stall):
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    received += len(chunk)
                    kept = chunk[skip:]
                    skip = max(0, skip - len(chunk))
                    if kept:
                        yield kept
        if received < self._size:
            raise TransientError(f"{self._what} ended after {received} of {self._size} bytes")

    def _open(self, offset: int) -> HttpAnswer:
        headers = {**self._request.headers, **({"Range": f"bytes={offset}-"} if offset else {})}
        request = replace(self._request, headers=headers, expect=(200, 206))
        with absence():
            return self._transport.once(request)


@contextmanager
def absence() -> Iterator[None]:
    """Have a registry's 404 be a NotFoundError."""
    try:
        yield
    except RefusedError as fault:
        if fault.status == 404:
            raise NotFoundError(str(fault), hint=fault.hint) from fault
        raise


def begins_at(response: HttpAnswer, what: str) -> int:
    """Where an answer begins: registries may send all of a blob to whoever asks for a part.

    Raises:
        TransferError: it is a part, and does not say which.
    """
    if response.status_code == 200:
        return 0
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if not found:
        raise TransferError(f"{what}: the registry sent a part without saying which")
    return int(found[1])
