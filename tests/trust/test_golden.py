"""Files of format version 1, kept so that later versions of airstore still read and write them alike.

A difference means that sites in the field could no longer read what publishers write, or the other way round.
"""

from pathlib import Path

import pytest

from airstore.core.errors import NotTrustedError
from airstore.core.image.digest import Digest
from airstore.trust import envelope
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import Pin, RootLink, TrustRoot, sign_root, verify_first
from airstore.trust.ssh import sshsig
from airstore.trust.state import TrustState
from airstore.trust.statement import RELEASE, STATEMENT_TYPE, statement, verify_statement
from tests.trust.trust_parts import ALICE, BOB, MALLORY, make_root

GOLDEN = Path(__file__).parents[2] / "fixtures" / "trust"
RELEASE_DIGEST = Digest.of(b"release.json of the golden files")
SUBJECTS = {"release.json": RELEASE_DIGEST}


def golden_root() -> TrustRoot:
    return make_root(("alice", "bob"), ("alice",), thresholds=(2, 1))


def golden_link() -> TrustRoot:
    """The root after it, which names it and the golden release."""
    keys, roles = {"bob": BOB.public}, {"root": (["bob"], 1), "release": (["bob"], 1)}
    link = RootLink(golden_root().digest, Pin(7, "1.7.0", RELEASE_DIGEST, "7" * 40))
    return TrustRoot.create("shop", keys, roles, version=2, link=link)


def build(directory: Path) -> dict[str, bytes]:
    TrustState(1, 7, RELEASE_DIGEST, "7" * 40).save(directory / "state-v1.json")
    signed = statement(RELEASE, SUBJECTS, {"sequence": 7})
    return {
        "root-v1.json": sign_root(golden_root(), [ALICE, BOB]),
        "root-v1-linked.json": sign_root(golden_link(), [ALICE, BOB]),
        "release-v1.dsse.json": envelope.sign(signed, STATEMENT_TYPE, [ALICE]),
        "release-v1.sshsig": sshsig.sign(ALICE, signed, sshsig.GIT_NAMESPACE).encode(),
        "state-v1.json": (directory / "state-v1.json").read_bytes(),
    }


def test_today_writes_the_golden_files(tmp_path: Path) -> None:
    assert build(tmp_path) == {path.name: path.read_bytes() for path in GOLDEN.iterdir() if path.is_file()}


def test_today_reads_the_golden_files() -> None:
    root = verify_first((GOLDEN / "root-v1.json").read_bytes())
    assert root == golden_root()
    after = RootChain((root,)).followed_by((GOLDEN / "root-v1-linked.json").read_bytes())
    assert after.current == golden_link()
    signed = (GOLDEN / "release-v1.dsse.json").read_bytes()
    found = verify_statement(signed, RELEASE, root.release_role, "the golden release")
    assert found.subjects == SUBJECTS
    assert TrustState.load(GOLDEN / "state-v1.json").release == RELEASE_DIGEST


def test_golden_release_is_refused_by_another_trust_root() -> None:
    other = make_root(("mallory",), ("mallory",))
    assert other.release_role.keys == (MALLORY.public,)
    signed = (GOLDEN / "release-v1.dsse.json").read_bytes()
    with pytest.raises(NotTrustedError):
        verify_statement(signed, RELEASE, other.release_role, "the golden release")
