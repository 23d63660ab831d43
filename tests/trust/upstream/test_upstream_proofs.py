"""Proofs that a signature is in a transparency log: what counts, and each way in which one does not."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airstore.core.errors import DamagedError, NotTrustedError
from airstore.trust.upstream.inclusion import InclusionProof
from airstore.trust.upstream.key import UpstreamKey
from airstore.trust.upstream.trusted_root import LogKey, Period
from tests.support.registry import log_proof
from tests.support.registry.layouts import Node
from tests.support.registry.log_proof import checkpoint

BODY = b'{"some": "entry"}'
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
_TEXT = "the log's checkpoint has no name, size and root hash"


def log_of(key: ec.EllipticCurvePrivateKey) -> LogKey:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    period = Period(datetime(2020, 1, 1, tzinfo=UTC), None)
    return LogKey(hashlib.sha256(der).digest(), UpstreamKey.from_der(der, "log"), period)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def signed(document: Node, size: int, root: bytes, key: ec.EllipticCurvePrivateKey = KEY) -> Node:
    """A proof with another checkpoint."""
    return {**document, "checkpoint": {"envelope": checkpoint(key, size, root)}}


def check(document: Node, body: bytes = BODY) -> None:
    InclusionProof.from_json(document).check(body, [log_of(KEY)])


@pytest.mark.parametrize("size", range(1, 13))
def test_every_place_in_a_tree_is_proved_and_no_other_one(size: int) -> None:
    for index in range(size):
        proof = log_proof.proof(KEY, BODY, index, size)
        check(proof)
        for other in {*range(size)} - {index}:
            with pytest.raises(NotTrustedError, match="does not lead from the entry to the root hash"):
                check({**proof, "logIndex": str(other)})


@pytest.mark.parametrize("size", range(2, 13))
def test_a_path_with_a_hash_less_more_or_other_leads_nowhere(size: int) -> None:
    for index in range(size):
        proof = log_proof.proof(KEY, BODY, index, size)
        path = proof["hashes"]
        turned = [b64(bytes((first[0] ^ 1, *first[1:]))) for first in map(base64.b64decode, path)]
        others = [path[1:], path[:-1], [*path, path[0]], [*path[:-1], turned[-1]], [turned[0], *path[1:]]]
        for other in others:
            with pytest.raises(NotTrustedError, match="does not lead from the entry to the root hash"):
                check({**proof, "hashes": other})


def test_a_path_that_is_too_long_for_its_tree_counts_for_nothing() -> None:
    """Even where it leads to what a log signed."""
    beside, leaf = bytes(32), log_proof.tree_hash([BODY])
    root = hashlib.sha256(b"\1" + beside + leaf).digest()
    proof = {"logIndex": "0", "treeSize": "1", "rootHash": b64(root), "hashes": [b64(beside)]}
    with pytest.raises(NotTrustedError, match="does not lead from the entry to the root hash"):
        check(signed(proof, 1, root))


def test_a_leaf_does_not_pass_for_what_is_above_leaves() -> None:
    """Of RFC 6962, section 2.1: second preimages, if both were hashed alike."""
    entries = [b"left", b"right"]
    beside = [hashlib.sha256(b"\0" + each).digest() for each in entries]
    root = log_proof.tree_hash(entries)
    proof = {"logIndex": "0", "treeSize": "1", "rootHash": b64(root), "hashes": []}
    for body in (b"".join(beside), b"\1" + b"".join(beside)):
        with pytest.raises(NotTrustedError, match="does not lead from the entry"):
            check(signed(proof, 1, root), body)


PROOF = log_proof.proof(KEY, BODY, 5, 7)
ROOT = base64.b64decode(PROOF["rootHash"])
NOTE = PROOF["checkpoint"]["envelope"]
LINE = NOTE.splitlines()[-1]
UNTRUSTED: dict[str, tuple[Node, str]] = {
    "another entry": (log_proof.proof(KEY, b"another", 5, 7), "does not lead from the entry"),
    "another log": (
        log_proof.proof(OTHER, BODY, 5, 7),
        "checkpoint of the log's proof is not by the log's key",
    ),
    "another tree": (signed(PROOF, 7, bytes(32)), "is for another tree than its checkpoint"),
    "another size": (signed(PROOF, 8, ROOT), "is for another tree than its checkpoint"),
    "behind the end": ({**PROOF, "logIndex": "7"}, "is for entry 7 of 7"),
    "no entry": (signed({**PROOF, "logIndex": "0", "treeSize": "0", "hashes": []}, 0, ROOT), "entry 0 of 0"),
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_proofs_that_prove_nothing(case: str) -> None:
    document, reason = UNTRUSTED[case]
    with pytest.raises(NotTrustedError, match=reason):
        check(document)


def noted(note: str) -> Node:
    return {**PROOF, "checkpoint": {"envelope": note}}


def hinted(hint: bytes) -> str:
    """The checkpoint, its signature said to be by another key."""
    head, _, last = NOTE.strip("\n").rpartition(" ")
    return f"{head} {b64(hint + base64.b64decode(last)[4:])}\n"


def test_a_signature_counts_by_the_log_that_it_names() -> None:
    check(noted(hinted(log_of(KEY).id[:4])))
    with pytest.raises(NotTrustedError, match="is not by the log's key"):
        check(noted(hinted(b"\0\0\0\0")))


def test_a_changed_word_of_the_checkpoint_is_noticed() -> None:
    with pytest.raises(NotTrustedError, match="is not by the log's key"):
        check(noted(NOTE.replace("log.example.com - 1", "log.example.com - 2")))


def test_witnesses_beside_the_log_and_more_lines_do_not_matter() -> None:
    check(noted(f"{NOTE}{LINE.replace('log.example.com', 'witness')}\n"))
    foreign = checkpoint(OTHER, 7, ROOT).splitlines()[-1]
    check(noted(NOTE.replace(LINE, f"{foreign}\n{LINE}")))
    text = f"{NOTE.partition(chr(10) * 2)[0]}\nTimestamp: 1\n"
    hint = log_of(KEY).id[:4]
    signature = b64(hint + KEY.sign(text.encode(), ec.ECDSA(SHA256())))
    check(noted(f"{text}\n\N{EM DASH} log.example.com {signature}\n"))


DAMAGED: dict[str, tuple[Node, str]] = {
    "no checkpoint": ({**PROOF, "checkpoint": None}, "has no checkpoint"),
    "not a number": ({**PROOF, "logIndex": "-1"}, "the place in the log's proof is no number: '-1'"),
    "other digits": ({**PROOF, "treeSize": "\u0667"}, "the size in the log's proof is no number"),
    "long": ({**PROOF, "treeSize": "9" * 20}, "the size in the log's proof is no number"),
    "truth": ({**PROOF, "logIndex": True}, "the place in the log's proof is no number"),
    "short hash": ({**PROOF, "hashes": [b64(bytes(31))]}, "a hash of the log's proof has 31 bytes"),
    "short root": ({**PROOF, "rootHash": b64(bytes(31))}, "the root hash of the log's proof has 31 bytes"),
    "no base64": ({**PROOF, "hashes": ["!"]}, "a hash of the log's proof is not base64"),
    "deep": ({**PROOF, "hashes": [b64(bytes(32))] * 65}, "the log's proof has 65 hashes"),
    "empty note": (noted(""), _TEXT),
    "no name": (noted(NOTE.replace(log_proof.ORIGIN, "")), _TEXT),
    "no size": (noted(NOTE.replace("\n7\n", "\n")), _TEXT),
    "no gap": (noted(NOTE.replace("\n\n", "\n")), _TEXT),
    "size in words": (
        noted(NOTE.replace("\n7\n", "\nseven\n")),
        "the checkpoint's size is no number: 'seven'",
    ),
    "short root in it": (
        noted(NOTE.replace(b64(ROOT), b64(ROOT[1:]))),
        "the checkpoint's root hash has 31 bytes",
    ),
    "no dash": (noted(NOTE.replace("\N{EM DASH}", "-")), "is no signature"),
    "no signature": (noted(NOTE.replace(LINE, "")), "is no signature"),
    "hint alone": (noted(NOTE.replace(LINE.rpartition(" ")[2], b64(bytes(4)))), "is no signature"),
    "signatures": (noted(NOTE + f"{LINE}\n" * 32), "the log's checkpoint has 33 signatures"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_proofs_that_are_none(case: str) -> None:
    document, reason = DAMAGED[case]
    with pytest.raises(DamagedError, match=reason):
        check(document)
