"""The two figures of discovery over the corpus of fixtures/corpus, and every shape of it."""

from __future__ import annotations

import pytest

from scripts import discovery_corpus

FOUND = list(discovery_corpus.shapes())


def test_recall_and_precision_are_what_the_guide_says() -> None:
    recall, precision = discovery_corpus.figures(FOUND)
    assert recall >= 0.98
    assert precision >= 0.98
    assert len(FOUND) > 40


@pytest.mark.parametrize("shape", FOUND, ids=[shape.name for shape in FOUND])
def test_every_shape(shape: discovery_corpus.Shape) -> None:
    assert shape.taken == shape.expected
