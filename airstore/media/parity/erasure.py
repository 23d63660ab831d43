"""Reed-Solomon over shards of equal size, by zfec: known erasures, any ``data`` of a group give all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airstore.core.errors import IncompleteError


class Code:
    """The code of one shape of groups.

    Args:
        data: shards that hold bytes of files.
        recovery: shards computed from them.

    Raises:
        IncompleteError: zfec is not installed.
    """

    def __init__(self, data: int, recovery: int) -> None:
        try:
            import zfec  # noqa: PLC0415 - a part that only media with parity need
        except ImportError as fault:
            raise IncompleteError(
                "parity needs the Python package zfec, which is not installed here",
                hint="install airstore with it: pip install 'airstore[parity]'",
            ) from fault
        self.data, self.recovery = data, recovery
        self._encoder = zfec.Encoder(data, data + recovery)
        self._decoder = zfec.Decoder(data, data + recovery)

    def encode(self, shards: Sequence[bytes]) -> list[bytes]:
        """The recovery shards of ``data`` data shards."""
        return list(self._encoder.encode(shards, range(self.data, self.data + self.recovery)))

    def decode(self, known: Mapping[int, bytes]) -> list[bytes]:
        """All data shards, from any ``data`` shards by number; recovery shards come after the data."""
        chosen = sorted(known)[: self.data]
        return list(self._decoder.decode([known[number] for number in chosen], chosen))
