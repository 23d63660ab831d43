"""A document with a check: no changed letter is taken for what was written."""

from __future__ import annotations

import pytest

from airstore.core.errors import DamagedError
from airstore.core.parsing import strictjson
from airstore.core.parsing.checked import with_check, without_check

DOCUMENT = {"end": "succeeded", "of": {"app": ["a", 7, None, "ü"]}}


@pytest.mark.parametrize("unchecked", [(), (frozenset({"end", "of"}),)], ids=["checked", "or older"])
def test_every_flipped_bit_is_an_error_or_says_the_same(unchecked: tuple[frozenset[str], ...]) -> None:
    data = strictjson.dumps(with_check(DOCUMENT))
    assert without_check(strictjson.load_object(data, "it"), "it", unchecked) == DOCUMENT
    refused = 0
    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        try:
            assert without_check(strictjson.load_object(bytes(altered), "it"), "it", unchecked) == DOCUMENT
        except DamagedError:
            refused += 1
    assert refused > 7 * len(data)  # blanks between items say nothing


def test_older_documents_are_known_by_their_keys() -> None:
    older = [frozenset({"end"})]
    assert without_check({"end": "succeeded"}, "it", older) == {"end": "succeeded"}
    for document in ({"end": "succeeded", "of": 1}, {"emd": "succeeded"}, {}):
        with pytest.raises(DamagedError, match="it is not what airstore wrote"):
            without_check(document, "it", older)
