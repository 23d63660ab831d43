"""Who is connected, and who has to go when there are too many."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator
from typing import Protocol

from airstore.registry.server.http.limits import ServerLimits


class Connected(Protocol):
    """One connection."""

    @property
    def answering(self) -> bool:
        """Whether it is being served; otherwise it waits for a request, or for a handshake."""

    def end_soon(self) -> None:
        """Close it, behind the response that is under way."""

    def cut(self) -> None:
        """Break it off."""


class Clients:
    """All connections by client, oldest first; of one thread.

    Whoever comes when there are too many takes the place of the one that has waited longest without a
    request. So silent connections never keep others out, and served ones are never broken off.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._by_client: defaultdict[str, dict[Connected, None]] = defaultdict(dict)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Connected]:
        return iter([each for group in self._by_client.values() for each in group])

    def admit(self, address: str) -> bool:
        """Make room for one more from an address; whether there is."""
        own = self._by_client.get(client_of(address), {})
        if len(own) >= self._limits.per_client:
            return self._end_waiting(own)
        if self._count < self._limits.connections:
            return True
        return self._end_waiting(max(self._by_client.values(), key=len, default={}))

    def add(self, address: str, connection: Connected) -> None:
        """Note that it is there."""
        self._by_client[client_of(address)][connection] = None
        self._count += 1

    def remove(self, address: str, connection: Connected) -> None:
        """Forget it; once is enough."""
        client = client_of(address)
        if connection not in self._by_client[client]:
            return
        del self._by_client[client][connection]
        self._count -= 1
        if not self._by_client[client]:
            del self._by_client[client]

    def _end_waiting(self, group: dict[Connected, None]) -> bool:
        waiting = next((each for each in group if not each.answering), None)
        if waiting is None:
            return False
        waiting.end_soon()
        # It closes with the loop's next turn; one that comes before that must not end it once more.
        del group[waiting]
        self._count -= 1
        return True


def client_of(address: str) -> str:
    """The client that an address belongs to: itself, or its IPv6 network of 64 bits, which is one host's."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
