"""Writing a blob into a registry: mount, or POST and PUT with a streamed body, then read it back.

Source: OCI distribution-spec 1.1, "POST then PUT", "Pushing a blob in chunks" and "Mounting a blob".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlencode, urljoin

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, TransferError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest, verified
from airstore.core.limits import KIB, MIB
from airstore.core.progress import Advance
from airstore.registry.answer import HttpAnswer
from airstore.registry.client.download import Download
from airstore.registry.client.transport import RegistryRequest, Transport
from airstore.registry.faults import RESTART_HINT, RefusedError, TransientError, network_errors

_SLICE = 256 * KIB  # bytes handed to the socket at once; each must pass within the stall timeout
_CHUNK = 1 * MIB  # bytes of one request behind a proxy that limits them; nginx's default limit
# Storage behind a registry may sign its links for GET alone, and then refuses HEAD.
_HEAD_ANSWERS = frozenset({200, 400, 403, 404, 405, 501})
_PROOF = 4 * KIB  # bytes read from the end of a blob that is said to be there


class RangeReader(Protocol):
    """Where blobs come from; `BlobStore` is one. Threads share it."""

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes of a blob from ``start`` up to ``stop``, verified."""

    def read_bytes(self, digest: Digest, limit: int) -> bytes:
        """The whole of a small blob of at most ``limit`` bytes."""


class Uploader:
    """Writes blobs of one reader to one registry; its methods may run in several threads.

    Args:
        transport: the registry.
        reader: where the bytes come from.
        advance: called with every count of bytes that went out for the first time.
    """

    def __init__(self, transport: Transport, reader: RangeReader, advance: Advance) -> None:
        self._transport = transport
        self._reader = reader
        self._advance = advance
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._chunk: int | None = None  # None: a blob in one request

    def stop(self) -> None:
        """Make running uploads in other threads end soon, with an error."""
        self._stopped.set()

    def upload(self, repository: str, blob: Descriptor) -> None:
        """Send a blob and prove, by reading it back, that the registry has it.

        Raises:
            TransferError: the registry refused or broke off, or does not give back what it took.
            DamagedError: the reader's own copy is damaged.
        """
        meter = self._meter()
        self._send(repository, blob, meter)
        if self._fault_in(repository, blob):
            self._send(repository, blob, meter)
            fault = self._fault_in(repository, blob)
            if fault:
                message = f"the registry took it but does not give it back: {fault}"
                what = self._transport.describe(RegistryRequest("GET", repository, f"blobs/{blob.digest}"))
                raise TransferError(f"{what}: {message}", hint=RESTART_HINT) from fault

    def mount(self, repository: str, blob: Descriptor, source: str) -> bool:
        """Take a blob over from another repository of the registry; False where that is not offered.

        Raises:
            TransferError: the registry refused or broke off.
        """
        query = urlencode({"mount": blob.digest, "from": source})
        about = f"mount {blob.digest} from {source}"
        request = RegistryRequest(
            "POST", repository, f"blobs/uploads/?{query}", expect=(201, 202), about=about
        )
        try:
            response = self._transport.send(request)
        except RefusedError:
            return False  # without rights on the source some registries refuse instead of offering an upload
        if response.status_code == 202:
            self._abandon(request, response)
            return False
        response.close()
        return prove(self._transport, repository, blob)

    def _send(self, repository: str, blob: Descriptor, meter: Callable[[int], None]) -> None:
        whole = self._chunk is None  # asked before: another thread may meet the limit meanwhile
        try:
            self._transport.endpoint.retry.run(lambda: self._attempt(repository, blob, meter))
        except RefusedError as fault:
            if fault.status != 413 or not whole:
                raise
            self._chunk = _CHUNK
            self._transport.endpoint.retry.run(lambda: self._attempt(repository, blob, meter))

    def _attempt(self, repository: str, blob: Descriptor, meter: Callable[[int], None]) -> None:
        about = f"upload of {blob.digest}"
        opening = RegistryRequest("POST", repository, "blobs/uploads/", expect=(202,), about=about)
        location = self._location(opening, self._transport.once(opening))
        if blob.size and self._chunk is None:
            closing = _closing(opening, location, blob)
            self._send_part(closing, blob, range(blob.size), meter).close()
            return
        for start in range(0, blob.size, self._chunk or 1):
            part = range(start, min(start + (self._chunk or 1), blob.size))
            location = self._patch(replace(opening, path=location), blob, part, meter)
        self._transport.once(_closing(opening, location, blob)).close()

    def _patch(
        self, opening: RegistryRequest, blob: Descriptor, part: range, meter: Callable[[int], None]
    ) -> str:
        headers = {"Content-Range": f"{part.start}-{part.stop - 1}"} if len(part) < blob.size else {}
        request = replace(opening, method="PATCH", headers=headers, expect=(202,))
        return self._location(request, self._send_part(request, blob, part, meter))

    def _send_part(
        self, request: RegistryRequest, blob: Descriptor, part: range, meter: Callable[[int], None]
    ) -> HttpAnswer:
        chunks = self._reader.read(blob.digest, part.start, part.stop)
        body = _UploadBody(self._slices(chunks, part.start, meter), len(part))
        headers = {"Content-Type": "application/octet-stream", **request.headers}
        return self._transport.stream(replace(request, headers=headers), body)

    def _slices(
        self, chunks: Iterator[bytes], position: int, meter: Callable[[int], None]
    ) -> Iterator[bytes]:
        for chunk in chunks:
            for start in range(0, len(chunk), _SLICE):
                self._check_stopped()
                piece = chunk[start : start + _SLICE]
                yield piece
                position += len(piece)
                meter(position)

    def _fault_in(self, repository: str, blob: Descriptor) -> AirstoreError | None:
        """What is wrong with the registry's copy of a blob, all of which is read."""
        download = Download(
            self._transport, RegistryRequest("GET", repository, f"blobs/{blob.digest}"), blob.size
        )
        try:
            for _ in verified(download, blob.digest, blob.size):
                self._check_stopped()
        except (NotFoundError, DamagedError, TransientError) as fault:
            return fault
        return None

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise TransferError("stopped because another transfer failed")

    def _meter(self) -> Callable[[int], None]:
        """Reports how far a blob got; a second attempt reports only what is beyond the first."""
        furthest = 0

        def report(position: int) -> None:
            nonlocal furthest
            if position > furthest:
                with self._lock:
                    self._advance(position - furthest)
                furthest = position

        return report

    def _location(self, request: RegistryRequest, response: HttpAnswer) -> str:
        response.close()
        location = response.headers.get("Location", "")
        if not location:
            what = self._transport.describe(request)
            raise TransferError(f"{what}: the registry does not say where to resume")
        return urljoin(response.url, location)

    def _abandon(self, request: RegistryRequest, response: HttpAnswer) -> None:
        # Whatever the registry answers, it removes forgotten uploads in time by itself.
        path = self._location(request, response)
        self._transport.send(replace(request, method="DELETE", path=path, expect=range(200, 600))).close()


def _closing(opening: RegistryRequest, location: str, blob: Descriptor) -> RegistryRequest:
    path = f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': blob.digest})}"
    return replace(opening, method="PUT", path=path, expect=(201, 204))


class _UploadBody:
    """A request body that is streamed under a known length, which is then announced."""

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks = chunks
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def __len__(self) -> int:
        return self._size


def prove(transport: Transport, repository: str, blob: Descriptor) -> bool:
    """Whether a registry really has a blob: it gives its last bytes, and says the right size.

    A registry's cache of blobs outlives the blobs (distribution issue 3254), so its word is not enough. One
    small request where all is well, and where nothing is there; more where the answer is neither.

    Raises:
        TransferError: the registry refused or broke off.
    """
    plain = _ends_well(transport, repository, blob) if blob.size else None
    if plain is not None:
        return plain
    path = f"blobs/{blob.digest}"
    if _denies(transport, repository, path, blob.size):
        return False
    start = max(0, blob.size - _PROOF)
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = RegistryRequest("GET", repository, path, headers, expect=(200, 206))
    # Twice, because a connection may break for other reasons, too.
    return _gives(transport, request, blob.size - start) or _gives(transport, request, blob.size - start)


def _ends_well(transport: Transport, repository: str, blob: Descriptor) -> bool | None:
    """Whether a blob's last byte is where it belongs; None where the answer does not tell."""
    headers = {"Range": f"bytes={blob.size - 1}-"}
    request = RegistryRequest("GET", repository, f"blobs/{blob.digest}", headers, expect=(200, 206, 404))
    try:
        with (
            transport.once(request) as response,
            network_errors(transport.describe(request), transport.endpoint.stall),
        ):
            if response.status_code == 404:
                response.raw.read(_PROOF)  # or the connection is not used again
                return False
            stated = response.headers.get("Content-Range", "").rpartition("/")[2]
            last = response.raw.read(2, decode_content=False)
            right = response.status_code == 206 and stated == str(blob.size) and len(last) == 1
            return True if right else None
    except (TransientError, RefusedError):
        return None  # the longer way knows a registry that lies from one that is not there


def _denies(transport: Transport, repository: str, path: str, size: int) -> bool:
    """Whether HEAD says plainly that a blob is not there; some registries only answer GET."""
    with transport.send(RegistryRequest("HEAD", repository, path, expect=_HEAD_ANSWERS)) as response:
        if response.status_code == 404:
            return True
        announced = response.headers.get("Content-Length", "0")
        return response.status_code == 200 and announced.strip("0") != "" and announced != str(size)


def _gives(transport: Transport, request: RegistryRequest, count: int) -> bool:
    try:
        with (
            transport.once(request) as response,
            network_errors(transport.describe(request), transport.endpoint.stall),
        ):
            return len(response.raw.read(count, decode_content=False)) == count
    except (TransientError, RefusedError):
        return False
