"""Strings as SSH puts them on the wire (RFC 4251, section 5): length, then bytes.

| bytes | meaning |
| --- | --- |
| 4 | n, big-endian |
| n | the string's bytes |
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from airstore.core.errors import DamagedError


def put_string(data: bytes) -> bytes:
    """A string with its length in front."""
    return len(data).to_bytes(4, "big") + data


def put_number(number: int) -> bytes:
    """A natural number as a multiple precision integer: a zero in front only where the sign bit would be."""
    return put_string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


@dataclass
class WireReader:
    """Takes bytes off the front of a bounded buffer; ``what`` names it in errors."""

    data: bytes
    what: str

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes.

        Raises:
            DamagedError: there are fewer.
        """
        if count > len(self.data):
            raise DamagedError(f"{self.what} is cut short")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self) -> int:
        """The next four bytes as a number.

        Raises:
            DamagedError: there are fewer.
        """
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """The next string.

        Raises:
            DamagedError: it is cut short.
        """
        return self.take(self.number())

    def natural(self) -> int:
        """The next multiple precision integer (RFC 4251, section 5): positive, as short as can be.

        Raises:
            DamagedError: it is not, or it is cut short.
        """
        data = self.string()
        number = int.from_bytes(data, "big", signed=True)
        if number <= 0 or put_number(number) != put_string(data):
            raise DamagedError(f"{self.what} has a number that is not in its one form")
        return number

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            DamagedError: bytes follow.
        """
        if self.data:
            raise DamagedError(f"{self.what} has {len(self.data)} bytes after its end")


def decode_base64(text: str, what: str) -> bytes:
    """Standard base64 with padding and nothing between.

    Raises:
        DamagedError: anything else.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise DamagedError(f"{what} is not base64: {fault}") from fault
