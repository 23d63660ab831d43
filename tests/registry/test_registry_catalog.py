"""Releases as repositories."""

from __future__ import annotations

import pytest

from airstore.core.descriptor import Descriptor
from airstore.core.digest import Digest
from airstore.core.errors import UsageError
from airstore.core.oci import OCI_MANIFEST
from airstore.core.reference import Reference
from airstore.core.release import Image, Release
from airstore.registry.catalog import ReleaseCatalog


def image_of(reference: str, content: bytes) -> Image:
    root = Descriptor(OCI_MANIFEST, Digest.of(content), len(content))
    return Image(Reference.parse(reference), root, (root,))


def release_with(sequence: int, *images: Image) -> Release:
    return Release("shop", f"{sequence}.0", sequence, None, (), images, (), (), {})


def test_a_later_release_takes_over_a_tag_and_keeps_the_older_digests() -> None:
    old, new = image_of("a.io/app:1", b"old"), image_of("a.io/app:1", b"new")
    catalog = ReleaseCatalog([release_with(1, old), release_with(2, new)])
    repository = catalog.repository("app")
    assert repository is not None
    assert repository.document("1") == new.root
    assert repository.document(old.root.digest) == old.root


def test_hosts_that_collide_in_one_release_are_refused() -> None:
    one, other = image_of("a.io/app:1", b"one"), image_of("b.io/app:1", b"other")
    with pytest.raises(UsageError, match="app:1 is both"):
        ReleaseCatalog([release_with(1, one, other)])
    same = ReleaseCatalog([release_with(1, one, image_of("b.io/app:1", b"one"))])
    assert same.repositories() == ["app"]
