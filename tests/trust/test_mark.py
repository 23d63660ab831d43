"""A site's mark: what its key signed, and nothing that contradicts itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airstore.core.errors import DamagedError, NotTrustedError
from airstore.core.image.digest import Digest
from airstore.trust.mark import Mark
from airstore.trust.ssh.keys import PrivateKey

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
NEW = Mark("acme", 1)
FAR = Mark("acme", 3, 7, Digest.of(b"release"), 12, Digest.of(b"entry"), 1_700_000_000)


@pytest.mark.parametrize("mark", [NEW, FAR, replace(FAR, entries=0, entry=None)])
def test_what_was_written_is_read(mark: Mark) -> None:
    assert Mark.parse(mark.to_bytes(KEY), KEY.public, "it") == mark


@pytest.mark.parametrize(
    "mark",
    [
        replace(FAR, sequence=0),
        replace(FAR, release=None),
        replace(FAR, entries=0),
        replace(FAR, entry=None),
    ],
)
def test_a_number_without_what_it_counts_is_refused_though_signed(mark: Mark) -> None:
    with pytest.raises(DamagedError, match="is not what airstore wrote"):
        Mark.parse(mark.to_bytes(KEY), KEY.public, "it")


def test_only_the_key_of_the_site_signs_it() -> None:
    with pytest.raises(NotTrustedError):
        Mark.parse(FAR.to_bytes(OTHER), KEY.public, "it")
    data = FAR.to_bytes(KEY).replace(b'"sequence": 7', b'"sequence": 8')
    assert data != FAR.to_bytes(KEY)
    with pytest.raises(NotTrustedError):
        Mark.parse(data, KEY.public, "it")
