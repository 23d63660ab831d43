"""Package URLs, and documents that are as odd as others' tools write them. Pure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.ops.review.databases import Package
from airstore.ops.review.sbom.documents import read_bom
from airstore.ops.review.sbom.purl import package_of
from tests.support.registry.sboms import OPENVEX


@pytest.mark.parametrize(
    ("purl", "package"),
    [
        ("pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64&distro=debian-12", Package("dpkg", "zlib1g", "1:1.2.13")),
        ("pkg:npm/%40acme/right@2.0.0", Package("npm", "@acme/right", "2.0.0")),
        ("pkg:npm/@acme/right", Package("npm", "@acme/right", "")),
        ("pkg:golang/github.com/a/b/v2@v2.1.0#sub", Package("golang", "github.com/a/b/v2", "v2.1.0")),
        ("pkg:pypi/Typing_Extensions@4.2", Package("pip", "typing-extensions", "4.2")),
        ("pkg:apk/alpine/musl@1.2.4-r2", Package("apk", "musl", "1.2.4-r2")),
        ("pkg:maven/org.acme/core@1%2B2", Package("maven", "org.acme/core", "1+2")),
        ("pkg:generic/", None),
        ("zlib", None),
    ],
)
def test_package_urls(purl: str, package: Package | None) -> None:
    assert package_of(purl) == package


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=8), each, max_size=3),
    max_leaves=8,
)
_WORDS = ("packages", "components", "vulnerabilities", "statements", "@graph", "affects", "purl", "name")
_CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
_HEADS: list[dict[str, str]] = [
    {"spdxVersion": "SPDX-2.3"},
    {"bomFormat": "CycloneDX"},
    {"@context": OPENVEX},
    {"@context": _CONTEXT},
]
_LISTS = st.lists(st.dictionaries(st.sampled_from(_WORDS), _JSON))


@given(st.sampled_from(_HEADS), st.dictionaries(st.sampled_from(_WORDS), _LISTS | _JSON))
def test_odd_documents_are_read_or_refused(head: dict[str, str], rest: dict[str, Any]) -> None:
    try:
        bom = read_bom(head | rest)
    except DamagedError:
        return
    assert bom is not None
    assert all(isinstance(each, str) for package in bom.packages for each in package)
