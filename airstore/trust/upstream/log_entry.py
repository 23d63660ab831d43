"""Entries of a transparency log (Rekor 1) as signatures carry them: what was signed when, by whose key.

Sources: sigstore_rekor.proto (bundles) and cosign's signature specification (the annotation of a layer);
Rekor's types hashedrekord 0.0.1, dsse 0.0.1 and intoto 0.0.2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from airstore.core.errors import DamagedError, NotTrustedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.parsing import strictjson
from airstore.trust.upstream.inclusion import InclusionProof
from airstore.trust.upstream.trusted_root import TrustedRoot
from airstore.trust.wire import decode_base64

_LIMIT = 4 * MIB
_WITHOUT_PROOF = "application/vnd.dev.sigstore.bundle+json;version=0.1"
_FAULTS = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)


@frozen
class LogEntry:
    """One entry; nothing in it is trusted before `vouched`.

    Attributes:
        log: id of the log, 32 bytes.
        index: the entry's place in the log.
        body_text: what was logged, JSON in base64.
        seconds: when, since the epoch.
        promise: the log's signature over all of that.
        proof: that the log has kept the promise; None in annotations and the first bundles, which have none.
    """

    log: bytes
    index: int
    body_text: str
    seconds: int
    promise: bytes
    proof: InclusionProof | None

    @property
    def body(self) -> bytes:
        """What was logged."""
        return decode_base64(self.body_text, "the body")

    @property
    def time(self) -> datetime:
        """When the log took it in."""
        return datetime.fromtimestamp(self.seconds, UTC)

    def vouched(self, root: TrustedRoot) -> None:
        """Verify the promise by a log of a trusted root, and the proof where there is one.

        Raises:
            NotTrustedError: the root has no such log at that time, or promise or proof are not by it.
        """
        logs = [each for each in root.logs if each.id == self.log]
        if not logs:
            raise NotTrustedError(f"{root.name} has no log {self.log.hex()[:16]}")
        logs = [each for each in logs if each.period.holds(self.time)]
        if not logs:
            raise NotTrustedError(
                f"by {root.name} the log {self.log.hex()[:16]} did not sign at {self.time:%Y-%m-%d}"
            )
        if not any(each.key.verifies(self.promise, self._promised()) for each in logs):
            raise NotTrustedError("the log's promise is not by the log's key")
        if self.proof is not None:
            self.proof.check(self.body, logs)

    def check_covers(self, signature: bytes, payload: bytes, certificate: bytes) -> None:
        """Hold the entry against the signature that it came with.

        Args:
            signature: of the payload, or of the envelope around it.
            payload: what was signed, without an envelope.
            certificate: in DER.

        Raises:
            NotTrustedError: the entry is of something else.
        """
        try:
            digest, logged = _logged(self.body)
        except _FAULTS as fault:
            raise NotTrustedError(f"the log's entry cannot be read: {fault}") from fault
        if digest != Digest.of(payload).hex:
            raise NotTrustedError("the log's entry is of another payload")
        if (signature, certificate) not in logged:
            raise NotTrustedError("the log's entry is of another signature or certificate")

    def _promised(self) -> bytes:
        """What the log signs: RFC 8785, which for such values is this."""
        document = {
            "body": self.body_text,
            "integratedTime": self.seconds,
            "logID": self.log.hex(),
            "logIndex": self.index,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def from_bundle(material: Mapping[str, Any], kind: object, what: str) -> LogEntry:
    """The entry of a bundle's ``verificationMaterial``.

    Args:
        material: the bundle's part of that name.
        kind: the bundle's ``mediaType``; all but the first version's have to come with a proof.
        what: the bundle's name in messages.

    Raises:
        DamagedError: not of that form.
        NotTrustedError: there is not one, or it lacks a time that a log vouches for, or a proof.
    """
    entries = material.get("tlogEntries") or []
    if not isinstance(entries, list) or len(entries) != 1:
        raise NotTrustedError("it has not one entry of a transparency log, which is needed")
    try:
        (entry,) = entries
        if not entry.get("inclusionPromise") or not entry.get("integratedTime"):
            raise NotTrustedError(
                "its log entry has no time that the log vouches for (Rekor 2, with a time-stamp), "
                "which is not read yet"
            )
        if not entry.get("inclusionProof") and kind != _WITHOUT_PROOF:
            raise NotTrustedError("its log entry has no proof of inclusion, which a bundle has")
        return _entry(
            decode_base64(entry["logId"]["keyId"], what),
            entry["logIndex"],
            entry["canonicalizedBody"],
            entry["integratedTime"],
            entry["inclusionPromise"]["signedEntryTimestamp"],
            InclusionProof.from_json(entry["inclusionProof"]) if entry.get("inclusionProof") else None,
        )
    except _FAULTS as fault:
        raise DamagedError(f"{what}: its log entry cannot be read: {fault}") from fault


def from_annotation(text: str, what: str) -> LogEntry:
    """The entry of the annotation ``dev.sigstore.cosign/bundle``; empty where there is no such annotation.

    Raises:
        DamagedError: not of that form.
        NotTrustedError: there is none.
    """
    if not text:
        raise NotTrustedError("it has not one entry of a transparency log, which is needed")
    document = strictjson.load_object(text.encode(), what, _LIMIT)
    try:
        entry = document["Payload"]
        log = bytes.fromhex(entry["logID"])
        promise = document["SignedEntryTimestamp"]
        return _entry(log, entry["logIndex"], entry["body"], entry["integratedTime"], promise)
    except _FAULTS as fault:
        raise DamagedError(f"{what}: its log entry cannot be read: {fault}") from fault


def _entry(
    log: bytes, index: Any, body: str, seconds: Any, promise: str, proof: InclusionProof | None = None
) -> LogEntry:
    made = LogEntry(log, int(index), body, int(seconds), decode_base64(promise, "the promise"), proof)
    _ = made.time, made.body  # a number that is no time, or text that is no base64, fails here
    return made


def _logged(body: bytes) -> tuple[str, list[tuple[bytes, bytes]]]:
    """Digest of the payload, and the pairs of signature and certificate that were logged."""
    document = strictjson.load_object(body, "the log's entry", _LIMIT)
    kind, spec = (document["kind"], document["apiVersion"]), document["spec"]
    if kind == ("hashedrekord", "0.0.1"):
        pairs = [(spec["signature"]["content"], spec["signature"]["publicKey"]["content"])]
        hashed = spec["data"]["hash"]
    elif kind == ("dsse", "0.0.1"):
        pairs = [(each["signature"], each["verifier"]) for each in spec["signatures"]]
        hashed = spec["payloadHash"]
    elif kind == ("intoto", "0.0.2"):
        pairs = [_of_intoto(each) for each in spec["content"]["envelope"]["signatures"]]
        hashed = spec["content"]["payloadHash"]
    else:
        raise ValueError(f"it is of the kind {str(kind)[:100]}")
    if hashed["algorithm"] != "sha256":
        raise ValueError(f"its hash is {str(hashed['algorithm'])[:20]!r}")
    return str(hashed["value"]), list(_decoded(pairs))


def _of_intoto(entry: Mapping[str, str]) -> tuple[str, str]:
    """A signature there is in base64 twice."""
    return decode_base64(entry["sig"], "the signature").decode(), entry["publicKey"]


def _decoded(pairs: list[tuple[str, str]]) -> Iterator[tuple[bytes, bytes]]:
    for signature, verifier in pairs:
        pem = decode_base64(verifier, "the certificate")
        der = load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        yield decode_base64(signature, "the signature"), der
