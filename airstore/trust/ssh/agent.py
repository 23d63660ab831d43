"""Keys in an ssh-agent (draft-ietf-sshm-ssh-agent): it signs, and never gives a private key away.

A message is a length of four bytes and that many bytes, the first of which says what it is:

| number | what | then |
| --- | --- | --- |
| 11, 12 | which keys?; these | uint32 count, then for each its wire form and a comment, as strings |
| 13, 14 | sign; the signature | strings: key, data, and uint32 flags; a string of: type, signature |
| 5 | no | |
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, NotTrustedError
from airstore.core.frozen import frozen
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.wire import WireReader, put_string

_LIST, _KEYS, _SIGN, _SIGNATURE = 11, 12, 13, 14
_WHAT = "answer of the ssh-agent"
_LARGEST = 256 * 1024  # bytes of a message, as OpenSSH bounds it
_PATIENCE = 120.0  # seconds: an agent may ask a person, or wait for a finger on a token


@frozen
class AgentKey:
    """One key that an agent holds.

    Attributes:
        agent: its socket.
    """

    public: PublicKey
    agent: Path

    @classmethod
    def find(cls, public: PublicKey, agent: Path | None) -> AgentKey:
        """The private half of a public key.

        Raises:
            NotFoundError: there is no agent, or it does not hold the key.
            DamagedError: what answers is no agent.
        """
        if agent is None:
            raise NotFoundError(
                f"the private key of {public.fingerprint} is in no file, and there is no ssh-agent to ask",
                hint="start one and add the key: eval $(ssh-agent); ssh-add FILE",
            )
        if public.wire not in _held(agent):
            raise NotFoundError(
                f"the ssh-agent at {agent} does not hold {public.fingerprint}",
                hint="add the key: ssh-add FILE; `ssh-add -l` lists those that it holds",
            )
        return cls(public, agent)

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, as `PublicKey.verifies` takes it.

        Raises:
            NotTrustedError: the agent, or whom it asks, does not want to, or signed something else.
            NotFoundError, DamagedError: as `find`.
        """
        request = bytes([_SIGN]) + put_string(self.public.wire) + put_string(data) + bytes(4)
        try:
            answer = WireReader(_ask(self.agent, request, _SIGNATURE), _WHAT)
        except _RefusedByAgentError as fault:
            raise NotTrustedError(
                f"the ssh-agent does not sign with {self.public.fingerprint}",
                hint="is it locked, or does the key ask for a confirmation?",
            ) from fault
        signature = self.public.parse_signature(answer.string(), _WHAT)
        if not self.public.verifies(signature, data):
            raise NotTrustedError(f"the signature of the ssh-agent is not by {self.public.fingerprint}")
        return signature


class _RefusedByAgentError(Exception):
    """The agent said no."""


def _held(agent: Path) -> set[bytes]:
    try:
        answer = WireReader(_ask(agent, bytes([_LIST]), _KEYS), _WHAT)
    except _RefusedByAgentError:
        return set()
    found = set()
    for _ in range(answer.number()):
        found.add(answer.string())
        answer.string()
    return found


def _ask(agent: Path, request: bytes, expected: int) -> bytes:
    with _connection(agent) as connection:
        connection.sendall(put_string(request))
        size = int.from_bytes(_read(connection, 4), "big")
        if not 1 <= size <= _LARGEST:
            raise DamagedError(f"{agent} answers with {size} bytes: that is no ssh-agent")
        answer = _read(connection, size)
    if answer[0] != expected:
        raise _RefusedByAgentError
    return answer[1:]


@contextmanager
def _connection(agent: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(str(agent))
            yield connection
        except AirstoreError:
            raise
        except OSError as fault:
            raise NotFoundError(
                f"the ssh-agent at {agent} does not answer: {fault}", hint="does SSH_AUTH_SOCK name one?"
            ) from fault


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise DamagedError(f"{_WHAT} is cut short")
        data += part
    return data
