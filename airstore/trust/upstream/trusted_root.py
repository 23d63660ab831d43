"""A carried trusted root of sigstore: whose certificates count, and which logs vouch for their use.

Source: sigstore's protobuf specifications, sigstore_trustroot.proto, in their JSON form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cryptography.x509 import Certificate, InvalidVersion, load_der_x509_certificate

from airstore.core.errors import AirstoreError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.parsing import strictjson
from airstore.trust.upstream.key import UpstreamKey
from airstore.trust.wire import decode_base64

LIMIT = MIB  # of a trusted root; the public one has some 7 KB
_KIND = "application/vnd.dev.sigstore.trustedroot"


@frozen
class Period:
    """A span of time; an end that is None never comes."""

    start: datetime
    end: datetime | None

    def holds(self, when: datetime) -> bool:
        """Whether a time is in it, its ends included."""
        return self.start <= when and (self.end is None or when <= self.end)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Period:
        """From ``validFor``."""
        end = entry.get("end")
        return cls(_time(entry["start"]), _time(end) if end else None)


@frozen
class LogKey:
    """The key of a log, and when the log signed with it.

    Attributes:
        id: as entries and certificates name the log, 32 bytes.
    """

    id: bytes
    key: UpstreamKey
    period: Period


@frozen
class Authority:
    """A certificate authority.

    Attributes:
        chain: what issues the signers' certificates, then what issued that, up to the root.
    """

    chain: tuple[Certificate, ...]
    period: Period


@frozen
class TrustedRoot:
    """A trusted root that was read.

    Attributes:
        name: where a release's tree has it.
        data: the file.
        logs: transparency logs of signatures.
        certificate_logs: transparency logs of certificates (RFC 6962).
    """

    name: str
    data: bytes
    authorities: tuple[Authority, ...]
    logs: tuple[LogKey, ...]
    certificate_logs: tuple[LogKey, ...]

    @classmethod
    def parse(cls, data: bytes, what: str, name: str) -> TrustedRoot:
        """Read a trusted root.

        Args:
            data: the file.
            what: its name in messages.
            name: where a release's tree has it.

        Raises:
            UsageError: no such file, or one that nothing can be verified with.
        """
        try:
            root = cls(name, data, *_parts(strictjson.load_object(data, what, LIMIT)))
        except (AirstoreError, InvalidVersion, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise UsageError(f"{what} is no trusted root of sigstore: {fault!s}", hint=_HINT) from fault
        missing = [text for part, text in zip(root.parts, _PARTS, strict=True) if not part]
        if missing:
            raise UsageError(f"{what} names no {' and no '.join(missing)}", hint=_HINT)
        return root

    @property
    def parts(self) -> tuple[tuple[Authority, ...], tuple[LogKey, ...], tuple[LogKey, ...]]:
        """Authorities, logs, logs of certificates."""
        return self.authorities, self.logs, self.certificate_logs

    @property
    def fingerprint(self) -> Digest:
        """SHA-256 of the file."""
        return Digest.of(self.data)


_PARTS = ("certificateAuthorities", "tlogs", "ctlogs")
_HINT = "it is the trusted_root.json that cosign trusted-root create writes, or that sigstore publishes"


def _parts(
    document: Mapping[str, Any],
) -> tuple[tuple[Authority, ...], tuple[LogKey, ...], tuple[LogKey, ...]]:
    if not str(document.get("mediaType")).startswith(_KIND):
        raise ValueError(f"its mediaType is {str(document.get('mediaType'))[:100]!r}")
    authorities, logs, certificate_logs = (document.get(part, []) for part in _PARTS)
    return tuple(map(_authority, authorities)), _logs(logs), _logs(certificate_logs)


def _authority(entry: Mapping[str, Any]) -> Authority:
    texts = [each["rawBytes"] for each in entry["certChain"]["certificates"]]
    chain = tuple(load_der_x509_certificate(decode_base64(text, "a certificate")) for text in texts)
    if not chain:
        raise ValueError("an authority has no certificate")
    return Authority(chain, Period.from_json(entry["validFor"]))


def _logs(entries: Iterable[Mapping[str, Any]]) -> tuple[LogKey, ...]:
    return tuple(_log(entry) for entry in entries)


def _log(entry: Mapping[str, Any]) -> LogKey:
    public = entry["publicKey"]
    key = UpstreamKey.from_der(decode_base64(public["rawBytes"], "a log's key"), "a log's key")
    return LogKey(
        decode_base64(entry["logId"]["keyId"], "a log's id"), key, Period.from_json(public["validFor"])
    )


def _time(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"the time {text!r} has no zone")
    return when
