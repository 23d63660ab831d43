import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, NotTrustedError, UsageError
from airstore.core.image.digest import Digest
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.statement import (
    MEDIA,
    RECEIPT,
    RELEASE,
    STATEMENT_TYPE,
    Statement,
    statement,
    verify_statement,
)
from tests.trust.trust_parts import ALICE, BOB, BOUNDED

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")
SUBJECTS = {"release.json": ONE, "history.bundle": TWO}
ROLE = Role((ALICE.public,), 1)

names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
digests = st.binary(min_size=32, max_size=32).map(Digest.from_raw)
predicates = st.dictionaries(st.text("abc", max_size=3), st.integers() | st.text("xyz") | st.booleans())


def document(**changes: Any) -> bytes:
    parsed: dict[str, Any] = json.loads(statement(RELEASE, SUBJECTS, {"sequence": 1}))
    return json.dumps(parsed | changes).encode()


def test_statement_has_the_shape_in_toto_demands() -> None:
    assert json.loads(statement(RELEASE, SUBJECTS, {"sequence": 1})) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "history.bundle", "digest": {"sha256": TWO.hex}},
            {"name": "release.json", "digest": {"sha256": ONE.hex}},
        ],
        "predicateType": "urn:airstore:release:v1",
        "predicate": {"sequence": 1},
    }


def test_bytes_do_not_depend_on_the_order_of_anything() -> None:
    turned = dict(reversed(SUBJECTS.items()))
    assert statement(MEDIA, SUBJECTS, {"a": 1, "b": 2}) == statement(MEDIA, turned, {"b": 2, "a": 1})


@BOUNDED
@given(st.dictionaries(names, digests, min_size=1, max_size=5), predicates)
def test_what_is_written_is_read(subjects: dict[str, Digest], predicate: dict[str, Any]) -> None:
    found = Statement.parse(statement(RECEIPT, subjects, predicate))
    assert (found.predicate_type, found.subjects, found.predicate) == (RECEIPT, subjects, predicate)


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"_type": 1},
        {"extra": 1},
        {"predicateType": None},
        {"predicate": []},
        {"subject": []},
        {"subject": {}},
        {"subject": [1]},
        {"subject": [{"name": "a"}]},
        {"subject": [{"name": "a", "digest": {}}]},
        {"subject": [{"name": "a", "digest": {"sha1": "0" * 40}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "0" * 63}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "A" * 64}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "0" * 64 + "\n"}}]},
        {"subject": [{"name": "a", "digest": {"sha256": 0}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "0" * 64, "sha1": "0" * 40}}]},
        {"subject": [{"name": "", "digest": {"sha256": "0" * 64}}]},
        {"subject": [{"name": "\x1b[2J", "digest": {"sha256": "0" * 64}}]},
        {"subject": [{"name": "\ud800", "digest": {"sha256": "0" * 64}}]},
        {"subject": [{"name": 7, "digest": {"sha256": "0" * 64}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "0" * 64}, "uri": "x"}]},
        {"subject": [{"name": "a", "digest": {"sha256": c * 64}} for c in "01"]},
    ],
)
def test_anything_else_is_damage(changes: dict[str, Any]) -> None:
    Statement.parse(document())
    with pytest.raises(DamagedError):
        Statement.parse(document(**changes))


@pytest.mark.parametrize("field", ["_type", "subject", "predicateType", "predicate"])
def test_missing_fields_are_damage(field: str) -> None:
    parsed = json.loads(document())
    del parsed[field]
    with pytest.raises(DamagedError):
        Statement.parse(json.dumps(parsed).encode())


def test_threat_duplicate_json_keys_in_the_payload() -> None:
    doubled = document().replace(b'"predicate":', b'"predicate": {"sequence": 9}, "predicate":')
    with pytest.raises(DamagedError, match="duplicate key 'predicate'"):
        Statement.parse(doubled)


@BOUNDED
@given(st.data())
def test_mutated_statement_raises_nothing_but_damaged(data: st.DataObject) -> None:
    content = bytearray(document())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DamagedError):
        assert Statement.parse(bytes(content)).subjects


@pytest.mark.parametrize("subjects", [{}, {"": ONE}, {"a\nb": ONE}, {"größe": ONE}])
def test_unusable_subjects_are_not_written(subjects: dict[str, Digest]) -> None:
    with pytest.raises(UsageError, match="subjects"):
        statement(RELEASE, subjects, {})


def test_signed_statement_comes_back() -> None:
    signed = envelope.sign(statement(RELEASE, SUBJECTS, {"sequence": 1}), STATEMENT_TYPE, [ALICE])
    assert verify_statement(signed, RELEASE, ROLE, "release 1.0").subjects == SUBJECTS


def test_threat_signed_media_do_not_pass_for_a_signed_release() -> None:
    signed = envelope.sign(statement(MEDIA, SUBJECTS, {}), STATEMENT_TYPE, [ALICE])
    with pytest.raises(NotTrustedError, match="'urn:airstore:media:v1', not a 'urn:airstore:release:v1'"):
        verify_statement(signed, RELEASE, ROLE, "release 1.0")


def test_signature_is_checked_before_the_statement_is_read() -> None:
    signed = envelope.sign(b"not a statement", STATEMENT_TYPE, [BOB])
    with pytest.raises(NotTrustedError, match="0 of the 1"):
        verify_statement(signed, RELEASE, ROLE, "release 1.0")
