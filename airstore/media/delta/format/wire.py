"""Numbers of any size in few bytes, and reading them from what may be hostile.

Seven bits a byte, the highest first, as variable-length quantities in MIDI files and HDiffPatch's headers.
"""

from __future__ import annotations

from airstore.core.errors import DamagedError

_LONGEST = 10  # bytes of a number of 64 bits


def put(number: int) -> bytes:
    """A number from 0 on."""
    out = bytearray([number & 0x7F])
    while number := number >> 7:
        out.insert(0, number & 0x7F | 0x80)
    return bytes(out)


def put_signed(number: int) -> bytes:
    """Any number; small ones on either side of 0 are short."""
    return put(number << 1 if number >= 0 else -(number << 1) - 1)


class Numbers:
    """Reads what `put` and `put_signed` wrote."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""
        return self._at == len(self._data)

    def take(self, most: int) -> int:
        """The next number.

        Args:
            most: the largest that is believed.

        Raises:
            DamagedError: there is none, or it is larger.
        """
        number = 0
        for byte in self._data[self._at : self._at + _LONGEST]:
            self._at += 1
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        else:
            raise DamagedError("a delta's table breaks off inside a number")
        if number > most:
            raise DamagedError(f"a delta's table says {number} where at most {most} is possible")
        return number

    def take_signed(self, most: int) -> int:
        """The next number of `put_signed`; at most ``most`` away from 0."""
        number = self.take(2 * most)
        return -(number + 1 >> 1) if number & 1 else number >> 1

    def bytes(self, count: int) -> bytes:
        """The next bytes as they are.

        Raises:
            DamagedError: there are fewer.
        """
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise DamagedError("a delta's table breaks off")
        self._at += count
        return taken
