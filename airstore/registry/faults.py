"""What a registry or the network did wrong, as errors a user can act on; secrets never get into them.

Two kinds: `TransientError` is worth another attempt, any other `TransferError` is not.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import urllib3

from airstore.core.errors import TransferError
from airstore.core.limits import KIB
from airstore.registry.answer import HttpAnswer

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_ERROR_BODY = 16 * KIB  # bytes of an error answer that are read
_SAID = 300  # characters of it that are shown
_SECRET = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+|://[^/@\s\"']+@|\?[^\s\"']+|\beyJ[\w-]+\.[\w.-]+")

RESTART_HINT = (
    "the registry answers from a cache of blobs it has since lost; restart the registry, then push again"
)
_HINTS = {
    401: "check the user name and password or run docker login; the account may lack rights here",
    403: "check the credentials: the account is not allowed to do this in this repository",
    404: "check that the project or repository exists and may be written",
    405: "the registry does not allow this; is it a read-only mirror?",
    409: "the registry says the tag is immutable; choose another repository or delete the tag",
    413: "a proxy before the registry limits uploads: raise nginx's client_max_body_size, or set the ingress "
    'annotation nginx.ingress.kubernetes.io/proxy-body-size: "0"',
    500: "see the registry's log; a full disk is a usual cause",
    507: "the registry's disk or the project's quota is full",
    429: "the registry limits how often it may be asked; wait, or push with fewer jobs",
}


class TransientError(TransferError):
    """A fault that may pass: 5xx, 429, a broken connection, a stall.

    Attributes:
        wait: seconds the registry asked to wait, or None.
    """

    def __init__(self, message: str, *, hint: str = "", wait: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.wait = wait


class UnwellError(TransientError):
    """The registry answered that it cannot answer now: 5xx, 429 and their like."""


class RefusedError(TransferError):
    """The registry answered, and the answer was no.

    Attributes:
        status: the HTTP status.
        codes: the error codes of the distribution spec, such as ``MANIFEST_BLOB_UNKNOWN``.
    """

    def __init__(self, message: str, *, status: int, codes: tuple[str, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.codes = codes


def redact(text: str) -> str:
    """The text without user names, passwords, tokens and signed queries."""
    return _SECRET.sub(lambda found: "://" if found[0].startswith("://") else "[redacted]", text)


def refusal(response: HttpAnswer, what: str) -> TransientError | RefusedError:
    """The error for an answer that was not expected; reads a bounded part of its body."""
    status = response.status_code
    codes, said = _explanation(response)
    message = f"{what}: {urlsplit(response.url).netloc.rpartition('@')[2]} answered {status}"
    message += f" {response.reason or ''}".rstrip() + (f": {said}" if said else "")
    hint = _HINTS.get(500 if status in {502, 503, 504} else status, "")
    if status in _TRANSIENT:
        return UnwellError(message, hint=hint, wait=_retry_after(response))
    return RefusedError(message, status=status, codes=codes, hint=hint)


@contextmanager
def network_errors(what: str, stall: float) -> Iterator[None]:
    """Turn what urllib3 and the socket raise into `TransferError`; ``stall`` is in seconds."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError, UnicodeError) as fault:
        raise _network_fault(fault, what, stall) from fault


def _network_fault(fault: BaseException, what: str, stall: float) -> TransferError:
    chain = list(_causes(fault))
    if any(isinstance(cause, ssl.SSLError | urllib3.exceptions.SSLError) for cause in chain):
        return _tls_fault(chain, what)
    if _any(chain, ConnectionRefusedError):
        hint = "is the registry running, and are host and port right?"
        return TransientError(f"{what}: connection refused", hint=hint)
    if _any(chain, urllib3.exceptions.NewConnectionError):  # to urllib3 a timeout, whatever the reason
        return _unreachable(chain, what)
    if _any(chain, TimeoutError, urllib3.exceptions.TimeoutError):
        hint = "the connection stalled; check the network, or a proxy that waits for something"
        return TransientError(f"{what}: no byte moved for {stall:g} seconds", hint=hint)
    if _any(chain, urllib3.exceptions.LocationValueError, UnicodeError):
        return TransferError(f"{what}: the registry sent an address that cannot be used")
    if _any(chain, OSError, urllib3.exceptions.HTTPError):
        hint = "if this repeats at the same size, a proxy before the registry may limit uploads"
        return TransientError(f"{what}: the connection broke: {redact(_reason(chain))}", hint=hint)
    return TransferError(f"{what}: {redact(str(fault))}")


def _unreachable(chain: list[BaseException], what: str) -> TransferError:
    reason = _reason(chain)
    if _any(chain, urllib3.exceptions.NameResolutionError):
        hint = "is the host right, and does this machine's name service know it?"
        return TransferError(f"{what}: the host's name cannot be resolved: {reason}", hint=hint)
    return TransientError(f"{what}: no connection: {reason}", hint="check host, port and network")


def _tls_fault(chain: list[BaseException], what: str) -> TransferError:
    reason = redact(_reason(chain))
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return TransferError(f"{what}: x509: {reason}", hint="give the registry's CA certificate with --ca")
    if "WRONG_VERSION_NUMBER" in reason:
        hint = "allow it with --plain-http HOST"
        return TransferError(f"{what}: the registry speaks plain HTTP", hint=hint)
    if "EOF" in reason:
        return TransientError(f"{what}: the connection broke: {reason}")
    return TransferError(f"{what}: TLS failed: {reason}")


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """The fault, what it wraps and what caused it; urllib3 uses arguments for wrapping."""
    pending, seen = [fault], set()
    while pending:
        cause = pending.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
        pending += [entry for entry in inner if isinstance(entry, BaseException)]


def _any(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in chain)


def _reason(chain: list[BaseException]) -> str:
    system = [cause for cause in chain if isinstance(cause, OSError) and cause.strerror]
    return str(system[-1].strerror if system else chain[-1])[:_SAID]


def _explanation(response: HttpAnswer) -> tuple[tuple[str, ...], str]:
    try:
        body = response.raw.read(_ERROR_BODY, decode_content=True)
        text = body.decode("utf-8", "replace")
    except (urllib3.exceptions.HTTPError, OSError):
        return (), ""
    finally:
        response.close()
    errors = _errors(text)
    if not errors:
        plain = "" if "<" in text else " ".join(text.split())
        return (), redact(plain)[:_SAID]
    codes = tuple(str(error.get("code", "")) for error in errors)
    said = "; ".join(" ".join(_words(error)) for error in errors)
    return codes, redact(said)[:_SAID]


def _words(error: dict[str, object]) -> list[str]:
    detail = error.get("detail")
    shown = json.dumps(detail) if detail else ""
    return [str(error.get(key)) for key in ("code", "message") if error.get(key)] + ([shown] if shown else [])


def _errors(text: str) -> list[dict[str, object]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    errors = document.get("errors") if isinstance(document, dict) else None
    return [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []


def _retry_after(response: HttpAnswer) -> float | None:
    # The other form, a date, needs both clocks to agree; the usual backoff serves there.
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None
