"""What Helm says when it fails, as errors that a user can act on."""

from __future__ import annotations

import re

from airstore.core.errors import AirstoreError, NotFoundError, ProgramError, TransferError, UsageError
from airstore.core.excerpt import excerpt_lines

_ALONE = r"(?<![\w/.-]){}(?![\w/-])"  # an HTTP status; in a path or a version such a number says nothing
_NETWORK = re.compile(
    _ALONE.format("(?:40[13]|50[0-9])")
    + r"|dial tcp|connection refused|connection reset|no such host|i/o timeout|deadline exceeded"
    r"|TLS handshake|x509|unauthorized|authentication required|credential not found|denied|EOF"
    r"|server gave HTTP response|looks like .* is not a valid chart repository",
    re.IGNORECASE,
)
_ABSENT = re.compile(_ALONE.format("404") + r"|not found|no chart version found", re.IGNORECASE)
_UNREACHED = re.compile(r"cluster unreachable|timed out waiting|context deadline exceeded", re.IGNORECASE)
_LINES = 20  # of what Helm says; the beginning tells what failed, the end why
_REMOTE = frozenset({"pull", "dependency", "repo", "registry"})


def helm_fault(what: str, command: str, stderr: str) -> AirstoreError:
    """The error for what a Helm command that failed wrote to standard error."""
    network = command in _REMOTE
    lines = [line for line in stderr.strip().splitlines() if not line.startswith("WARNING:")]
    said = "\n".join(excerpt_lines(lines, _LINES)).removeprefix("Error: ")
    message = f"{what}: helm: {said or 'failed without a word'}"
    if network and _NETWORK.search(said):
        return TransferError(message, hint="check the address, the credentials and the certificate authority")
    if network and _ABSENT.search(said):
        return NotFoundError(message, hint="check the name and the version")
    if not network and _UNREACHED.search(said):
        return ProgramError(message)
    return UsageError(message)
