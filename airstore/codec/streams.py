"""Python's streams as the functions that the native codec calls."""

from __future__ import annotations

import ctypes
from types import TracebackType
from typing import Protocol, Self

from airstore.codec.library import Function, Read, Write

_FAILED = -1


class Readable(Protocol):
    """A stream to read from; an empty result is its end."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes."""
        ...


class Writable(Protocol):
    """A stream that takes all bytes it is given."""

    def write(self, data: bytes, /) -> object:
        """Take all bytes."""
        ...


class Streams:
    """Functions over streams, kept alive for one call; what a stream raises is raised again after it."""

    def __init__(self) -> None:
        self._functions: list[object] = []
        self._fault: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._functions.clear()

    def reader(self, stream: Readable) -> Function:
        """A function that fills a buffer from the stream."""

        def read(buffer: int, size: int) -> int:
            try:
                data = stream.read(size)
                if len(data) > size:
                    raise ValueError("a stream gave more than was asked for")
                ctypes.memmove(buffer, data, len(data))
            except BaseException as fault:  # noqa: BLE001 - it must not enter native code
                self._fault = fault
                return _FAILED
            return len(data)

        function = Read(read)
        self._functions.append(function)
        return function

    def writer(self, stream: Writable) -> Function:
        """A function that writes bytes to the stream."""

        def write(buffer: int, size: int) -> int:
            try:
                stream.write(ctypes.string_at(buffer, size))
            except BaseException as fault:  # noqa: BLE001 - it must not enter native code
                self._fault = fault
                return _FAILED
            return 0

        function = Write(write)
        self._functions.append(function)
        return function

    def reraise(self) -> None:
        """Raise what a stream raised."""
        if self._fault is not None:
            raise self._fault
