"""The same verdicts as the real cosign on signatures in annotations (scripts/vectors/annotations.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.registry.annotated import KEY, OTHERWISE, verdicts

VECTORS = json.loads((Path(__file__).parents[3] / "fixtures" / "cosign" / "annotations.json").read_text())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str | None]]:
    with verdicts(tmp_path_factory.mktemp("annotations"), VECTORS) as found:
        yield found


@pytest.mark.parametrize("said", VECTORS["cases"], ids=[each["name"] for each in VECTORS["cases"]])
def test_what_cosign_says(said: dict[str, Any], ours: dict[str, str | None]) -> None:
    why = ours[said["name"]]
    assert (why is None) == OTHERWISE.get(said["name"], said["good"]), (why, said["says"])


def test_the_vectors_are_what_they_should_be() -> None:
    kinds = {(each["by"] == KEY, each["good"]) for each in VECTORS["cases"]}
    assert kinds == {(by, good) for by in (True, False) for good in (True, False)}
    assert len(VECTORS["cases"]) > 35
