"""What one client, and all of them, may take of the server."""

from __future__ import annotations

import resource
from dataclasses import replace

from airstore.core.frozen import frozen
from airstore.core.limits import KIB, MIB

HEADER_SIZE = 64 * KIB  # bytes of a request's line and headers
BODY_SIZE = MIB  # bytes of a request's body, which nobody reads: the registry is read-only
PULLS = 16  # pieces of pulls made ready at once, each in a thread

_OWN_FILES = 128  # open files that are no connection: the store's, the program's
_FILES_EACH = 2  # of a connection in the middle of a pull: itself and what it reads


@frozen
class ServerLimits:
    """Numbers of connections, and seconds.

    Attributes:
        connections: open at once, from all clients.
        per_client: open at once, from one address (IPv6: from one /64).
        handshake: for TLS, from the connection on.
        header: for a request's header, from the connection or the request's first byte on.
        body: for a request's body.
        idle: between two requests, and until a peer takes the next byte of a response, however slow it is.
        grace: for running pulls when the server is told to end.
    """

    connections: int = 1024
    per_client: int = 640
    handshake: float = 10
    header: float = 20
    body: float = 20
    idle: float = 60
    grace: float = 20

    def that_fit(self) -> ServerLimits:
        """The same with no more connections than this process may open files, after asking for as many."""
        room = max((_may_open(self.connections * _FILES_EACH + _OWN_FILES) - _OWN_FILES) // _FILES_EACH, 16)
        connections = min(self.connections, room)
        # One client must never be able to take all of it.
        return replace(self, connections=connections, per_client=min(self.per_client, connections * 3 // 4))


def _may_open(wanted: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
