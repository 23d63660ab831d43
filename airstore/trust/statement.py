"""in-toto Statement v1: which files, by digest, a signature is about, and what it says of them.

Spec: in-toto attestation framework, spec/v1/statement.md. Every statement here is airstore's own, so fields
the specification does not name are refused; a new format gets a new predicate type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from airstore.core.errors import DamagedError, NotTrustedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.trust import envelope
from airstore.trust.role import Role

STATEMENT_TYPE = "application/vnd.in-toto+json"
RELEASE = "urn:airstore:release:v1"
MEDIA = "urn:airstore:media:v1"
DELTA_MEDIA = "urn:airstore:media:v2"  # with files that readers of v1 do not know
CARRIED_MEDIA = "urn:airstore:media:v3"  # cut into volumes, or with parity
SHARED_MEDIA = "urn:airstore:media:v4"  # for several sites, or from several releases; as v3 otherwise
EVERY_MEDIA = (MEDIA, DELTA_MEDIA, CARRIED_MEDIA, SHARED_MEDIA)
RECEIPT = "urn:airstore:receipt:v1"
DATED_RECEIPT = "urn:airstore:receipt:v2"  # says when it was written, and what runs
TIMED_RECEIPT = "urn:airstore:receipt:v3"  # and how long applies took
SITE_KEY = "urn:airstore:site:v1"  # a site's key, for publishers that share a store

_TYPE = "https://in-toto.io/Statement/v1"
_FIELDS = {"_type", "subject", "predicateType", "predicate"}
_NAME = re.compile(
    r"[\x20-\x7e]{1,1024}"
)  # names of files airstore makes; control characters stay off terminals
_HEX = re.compile(r"[a-f0-9]{64}")


@frozen
class Statement:
    """A parsed statement.

    Attributes:
        subjects: name to digest.
    """

    predicate_type: str
    subjects: Mapping[str, Digest] = field(hash=False)
    predicate: Mapping[str, Any] = field(hash=False)

    @classmethod
    def parse(cls, data: bytes, what: str = "statement") -> Statement:
        """Read the verified payload of an envelope.

        Raises:
            DamagedError: not strict JSON or not such a statement.
        """
        document = strictjson.load_object(data, what, LIMITS.envelope)
        predicate_type, predicate = document.get("predicateType"), document.get("predicate")
        if set(document) != _FIELDS or document["_type"] != _TYPE:
            raise DamagedError(f"{what} is not an in-toto Statement v1")
        if not isinstance(predicate_type, str) or not isinstance(predicate, dict):
            raise DamagedError(f"{what} needs a predicateType and a predicate")
        return cls(predicate_type, _parse_subjects(document["subject"], what), predicate)


def statement(predicate_type: str, subjects: Mapping[str, Digest], predicate: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a statement, ready to sign as `STATEMENT_TYPE`.

    Raises:
        UsageError: no subject, or a subject's name is not printable ASCII.
    """
    bad = [name for name in subjects if not _NAME.fullmatch(name)]
    if bad or not subjects:
        raise UsageError(f"a statement needs subjects with names in printable ASCII, not {bad[:3]}")
    document = {
        "_type": _TYPE,
        "subject": [{"name": name, "digest": {"sha256": subjects[name].hex}} for name in sorted(subjects)],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }
    return strictjson.dumps(document)


def verify_statement(signed: bytes, predicate_type: str, role: Role, what: str, *others: str) -> Statement:
    """Check an envelope and read the statement of an accepted type in it; ``others`` are accepted, too.

    The type is part of what was signed: signed media cannot pass for a signed release.

    Raises:
        NotTrustedError: not signed by the role, or a statement of another type.
        DamagedError: not an envelope, or not a statement.
    """
    found = Statement.parse(envelope.verify(signed, STATEMENT_TYPE, role, what), what)
    if found.predicate_type not in {predicate_type, *others}:
        raise NotTrustedError(f"{what} is a signed {found.predicate_type[:100]!r}, not a {predicate_type!r}")
    return found


def _parse_subjects(entries: object, what: str) -> dict[str, Digest]:
    if not isinstance(entries, list) or not entries:
        raise DamagedError(f"{what} needs at least one subject")
    subjects = dict(_parse_subject(entry, what) for entry in entries)
    if len(subjects) != len(entries):
        raise DamagedError(f"{what} names one subject twice")
    return subjects


def _parse_subject(entry: object, what: str) -> tuple[str, Digest]:
    if not isinstance(entry, dict) or set(entry) != {"name", "digest"}:
        raise DamagedError(f"{what}: a subject needs a name and a digest, nothing else")
    name, digests = entry["name"], entry["digest"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DamagedError(f"{what}: a subject's name must be printable ASCII")
    value = digests.get("sha256") if isinstance(digests, dict) and len(digests) == 1 else None
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise DamagedError(f"{what}: subject {name} needs one digest, sha256 in lower-case hex")
    return name, Digest("sha256:" + value)
