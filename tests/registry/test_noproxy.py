"""Hosts that are reached without a proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.registry.client.http.noproxy import bypasses


@pytest.mark.parametrize(
    ("place", "listed", "expected"),
    [
        ("registry.acme.example", "", False),
        ("registry.acme.example", "registry.acme.example", True),
        ("registry.acme.example:5000", "other, .acme.example", True),
        ("registry.acme.example:5000", "acme.example", True),
        ("registry.acme.example", "cme.example", False),
        ("registry.acme.example", "*", True),
        ("10.1.2.3:5000", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "11.0.0.0/8,nonsense/99", False),
        ("[fd00::1]:5000", "fd00::/8", True),
        ("[fd00::1]:5000", "[fd00::1]", True),
    ],
)
def test_lists_are_read_as_curl_and_go_read_them(place: str, listed: str, expected: bool) -> None:
    assert bypasses(place, listed) is expected


@given(st.text(max_size=30), st.text(alphabet="a.,:/*1[]- ", max_size=30))
def test_any_list_has_an_answer(place: str, listed: str) -> None:
    host = "".join(c for c in place if c.isalnum()) or "host"
    assert bypasses(host, listed) in {True, False}
