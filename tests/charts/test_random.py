"""What differs at each rendering is found, whatever it stands in, and always replaced alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.charts.rendering.kubeversion import candidates, complains
from airstore.charts.rendering.randomness import PLACEHOLDER, may_be_random, settled

HEAD = "---\n# Source: app/templates/s.yaml\n"
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(st.lists(VALUES, min_size=2, max_size=4, unique=True))
def test_the_same_comes_out_whatever_the_random_values_were(values: list[str]) -> None:
    def render(value: str) -> str:
        keyed = f"kind: Secret\nfixed: 1\n  password: '{value}'\n- item: {value}\n"
        return f"{HEAD}{keyed}text: |\n  p={value}\nend: 1\n"

    text, keys = settled([render(value) for value in values])
    assert text == (
        f"{HEAD}kind: Secret\nfixed: 1\n  password: {PLACEHOLDER}\n- item: {PLACEHOLDER}\ntext: |\n"
        f"  {PLACEHOLDER}\nend: 1\n"
    )
    assert keys == [
        "app/templates/s.yaml line 5: password",
        "app/templates/s.yaml line 6: item",
        "app/templates/s.yaml line 8: text",
    ]


def test_blocks_of_other_lengths_become_one_line() -> None:
    one = f"{HEAD}key: |\n  -----BEGIN-----\n  aaaa\n  bbbb\n  -----END-----\nend: 1\n"
    other = one.replace("aaaa\n  bbbb", "cccc\n  dddd\n  eeee")
    third = one.replace("aaaa\n  bbbb", "ffff")
    expected = f"{HEAD}key: |\n  -----BEGIN-----\n  {PLACEHOLDER}\n  -----END-----\nend: 1\n"
    for texts in ([one, other], [other, third], [third, one, other]):
        assert settled(texts)[0] == expected


def test_what_never_differs_stays_byte_for_byte() -> None:
    text = f"{HEAD}a: 1\r\n\n  b: 'x'"
    assert settled([text, text]) == (text, [])
    two = [f"{HEAD}a: 1\n{HEAD}p: {value}" for value in "xy"]
    assert settled(two)[0] == f"{HEAD}a: 1\n{HEAD}p: {PLACEHOLDER}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{{ randAlphaNum 5 }}", True),
        (b"{{ genSignedCert .x }}", True),
        (b"{{ uuidv4 }}", True),
        (b"{{ now | date }}", True),
        (b"operand: known", False),
        (b"replicas: 1", False),
    ],
)
def test_charts_that_may_be_random_are_known_by_their_functions(content: bytes, expected: bool) -> None:
    assert may_be_random([b"", content]) is expected


@pytest.mark.parametrize(
    ("constraint", "first", "also"),
    [
        (">=1.35.0-0", "1.35.0", "1.36.0"),
        ("<1.25.0-0", "1.25.0", "1.24.0"),
        (">= 1.19-0 < 1.22.0", "1.22.0", "1.19.0"),
        ("^1.40", "1.40.0", "1.40.1"),
        ("1.20.x || 1.18.x", "1.20.0", "1.18.0"),
        (">1.99.3", "1.99.3", "1.99.4"),
    ],
)
def test_versions_at_the_bounds_are_tried(constraint: str, first: str, also: str) -> None:
    found = candidates(constraint)
    assert found[0] == first
    assert also in found
    assert "0.0.0" not in found


def test_nothing_is_tried_without_a_constraint() -> None:
    assert candidates("") == []
    assert complains("helm: chart requires kubeVersion: >=1.35.0-0 which is incompatible with Kubernetes v1")
    assert not complains("helm: something else")
