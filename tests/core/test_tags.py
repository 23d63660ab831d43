"""A tag names one artifact at most; a pin never depends on it."""

from __future__ import annotations

import pytest

from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.core.model.release import Image
from airstore.core.model.tags import RepositoryTag, settle_tags

ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")


def image(reference: str, digest: Digest) -> Image:
    root = Descriptor(OCI_MANIFEST, digest, 3)
    return Image(Reference.parse(reference), root, (root,))


CASES = {
    "two pins that differ": ([(f"a.example/app:1@{ONE}", ONE), (f"a.example/app:1@{OTHER}", OTHER)], None),
    "two pins that agree": ([(f"a.example/app:1@{ONE}", ONE), (f"b.example/app:1@{ONE}", ONE)], 0),
    "a pin beside a tag": ([(f"a.example/app:1@{ONE}", ONE), ("a.example/app:1", OTHER)], 1),
    "a tag beside a pin": ([("a.example/app:1", OTHER), (f"a.example/app:1@{ONE}", ONE)], 0),
    "one pin": ([(f"a.example/app:1@{ONE}", ONE)], 0),
    "a digest alone": ([(f"a.example/app@{ONE}", ONE)], None),
}


@pytest.mark.parametrize("case", CASES)
def test_who_gets_the_tag(case: str) -> None:
    wanted, owner = CASES[case]
    images = [image(*each) for each in wanted]
    settled = settle_tags(images)
    assert settled.clashes == []
    assert settled.named == ({} if owner is None else {RepositoryTag("app", "1"): images[owner]})
    got = [settled.of(each) for each in images]
    assert got == [("1",) if index == owner else () for index in range(len(images))]


def test_two_hosts_that_use_one_tag_without_a_pin_are_named() -> None:
    images = [image("a.example/app:1", ONE), image("b.example/app:1", OTHER)]
    assert settle_tags(images).clashes == [(RepositoryTag("app", "1"), images[0], images[1])]
