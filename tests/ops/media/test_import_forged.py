"""Releases by the right key about the wrong things: a site imports sound ones only, whoever signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.ops.stores.verify import verify_release
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.statement import MEDIA
from tests.support.faults.forged_media import Edit, Forge, git, sign_index
from tests.support.product.road_parts import (
    Outcome,
    Road,
    airstore,
    overwrite,
    refused,
    sound,
    unchanged,
)

pytestmark = pytest.mark.slow


def take_in(site: Path, media: Path) -> Outcome:
    return airstore("-C", site, "media", "import", media)


@pytest.fixture
def forge(own_road: Road) -> Forge:
    """A publisher that holds 1.0.0 only and goes on from there by hand."""
    forge = Forge(own_road.publisher, own_road.key)
    forge.rewind("1.0.0")
    return forge


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "media"


def test_a_forge_without_a_fault_is_taken_in(forge: Forge, site: Path, out: Path) -> None:
    """So that the tests below fail for the reason they name."""
    forge.next("1.1.0")
    forge.next("1.2.0")
    assert take_in(site, forge.media(out, "1.2.0", "1.0.0")).code == 0
    sound(site, "1.0.0", "1.1.0", "1.2.0")


STRANGER = PrivateKey.generate()


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"unsigned": "commit"}, "the commit is not signed"),
        ({"unsigned": "tag"}, "the tag is not signed"),
        ({"commit_key": STRANGER}, "not a trusted key"),
        ({"tag_key": STRANGER}, "not a trusted key"),
        ({"envelope_key": STRANGER}, "signed by 0 of the 1"),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_every_commit_of_the_way_is_verified(
    fault: dict[str, object], word: str, last: bool, forge: Forge, site: Path, out: Path
) -> None:
    """A release in the middle counts as much as the newest one."""
    forge.next("1.1.0", **fault)  # type: ignore[arg-type]
    if not last:
        forge.next("1.2.0")
    media = forge.media(out, "1.1.0" if last else "1.2.0", "1.0.0")
    with unchanged(site):
        refused(take_in(site, media), 30, word)
        refused(airstore("-C", site, "media", "import", "--dry-run", media), 30, word)


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (lambda files: files.update({"values/small.yaml": b"replicas: 99\n"}), "values/small.yaml"),
        (lambda files: files.update({"charts/shop/templates/more.yaml": b"x"}), "more.yaml"),
        (lambda files: files.pop("hooks/backup.sh"), "hooks/backup.sh"),
        (lambda files: files.update({"signatures/more": b"x"}), "signatures/more"),
    ],
)
def test_a_file_changed_after_signing_is_found(
    edit: Edit, word: str, forge: Forge, site: Path, out: Path
) -> None:
    """git and its SHA-1 have nothing against these trees; release.json has."""
    forge.next("1.1.0", edit=edit)
    with unchanged(site):
        refused(take_in(site, forge.media(out, "1.1.0", "1.0.0")), 20, word, "release.json")


def _upper(data: bytes) -> bytes:
    document = json.loads(data)
    image = document["images"][0]
    image["root"]["digest"] = "sha256:" + image["root"]["digest"][7:].upper()
    return json.dumps(document).encode()


def test_a_commit_without_envelope_is_not_trusted(forge: Forge, site: Path, out: Path) -> None:
    forge.next("1.1.0", edit=lambda files: files.pop("signatures/release.dsse.json"))
    with unchanged(site):
        refused(take_in(site, forge.media(out, "1.1.0", "1.0.0")), 30, "release.dsse.json")


def test_a_media_statement_is_no_signature_of_a_release(forge: Forge, site: Path, out: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        signed = forge.envelope(files["release.json"], forge.key, MEDIA)
        files["signatures/release.dsse.json"] = signed

    forge.next("1.1.0", edit=edit)
    with unchanged(site):
        refused(take_in(site, forge.media(out, "1.1.0", "1.0.0")), 30, MEDIA)


def test_the_envelope_of_another_release_is_not_trusted(forge: Forge, site: Path, out: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        signed = forge.history.read("1.0.0", "signatures/release.dsse.json")
        files["signatures/release.dsse.json"] = signed

    forge.next("1.1.0", edit=edit)
    with unchanged(site):
        refused(take_in(site, forge.media(out, "1.1.0", "1.0.0")), 30, "something else")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (lambda data: data.replace(b'"product"', b'"product": "shop", "product"', 1), "duplicate key"),
        (lambda data: data.replace(b"sha256:", b"SHA256:"), "not a sha256 digest"),
        (_upper, "digest"),
        (lambda data: data.replace(b'"sequence": 2', b'"sequence": 2.0'), "sequence"),
        (lambda data: data.replace(b'"kind": "Release"', b'"kind": "Media"'), "kind"),
        (lambda data: data[:-3], "not valid JSON"),
        (lambda data: b"\xff" + data, "not valid JSON"),
        (lambda data: data.replace(b'"size": ', b'"size": -'), "size"),
    ],
)
def test_a_signed_release_file_of_another_form_is_damage(
    text: Callable[[bytes], bytes], word: str, forge: Forge, site: Path, out: Path
) -> None:
    forge.next("1.1.0", text=text)
    with unchanged(site):
        outcome = take_in(site, forge.media(out, "1.1.0", "1.0.0"))
        assert outcome.code == 20, outcome
        assert word in outcome.err
        assert "release.json" in outcome.err


def _blob(release: Release, **changes: object) -> Release:
    image = release.images[0]
    changed = replace(image.blobs[0], **changes)  # type: ignore[arg-type]
    return replace(release, images=(replace(image, blobs=(changed, *image.blobs[1:])), *release.images[1:]))


def test_a_release_that_claims_a_blob_nobody_has_is_incomplete(forge: Forge, site: Path, out: Path) -> None:
    nowhere = Digest.of(b"nowhere")
    forge.next("1.1.0", change=lambda release: _blob(release, digest=nowhere))
    with unchanged(site):
        outcome = take_in(site, forge.media(out, "1.1.0", "1.0.0"))
        refused(outcome, 21, "1 blobs of release 1.1.0", "image registry.example.com/shop/", "hint: ")


def test_a_release_that_lies_about_a_size_is_damage(own_road: Road, new_site: Path, out: Path) -> None:
    """On full media, so that the blob is new to the site."""
    forge = Forge(own_road.publisher, own_road.key)
    forge.next("1.2.0", change=lambda release: _blob(release, size=release.images[0].blobs[0].size + 1))
    with unchanged(new_site):
        refused(take_in(new_site, forge.media(out, "1.2.0")), 20, "not of the size", "1.2.0")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda release: replace(release, product="other"), "product 'other'"),
        (lambda release: replace(release, sequence=5), "gap"),
        (lambda release: replace(release, sequence=1), "fork: sequence 1"),
        (lambda release: replace(release, sequence=1 << 40), "fast-forward"),
        (lambda release: replace(release, previous=Digest.of(b"other")), "fork"),
        (lambda release: replace(release, previous=None), "fork"),
    ],
)
def test_a_release_that_does_not_continue_the_chain_is_out_of_sequence(
    change: Callable[[Release], Release], word: str, forge: Forge, site: Path, out: Path
) -> None:
    """The index tells the truth about place and product; release.json does not."""
    forge.next("1.1.0", change=change)
    with unchanged(site):
        outcome = take_in(site, forge.media(out, "1.1.0", "1.0.0"))
        assert outcome.code in {20, 31}, outcome
        refused(outcome, 31, word)


def test_a_commit_under_another_version_than_its_tag_is_damage(forge: Forge, site: Path, out: Path) -> None:
    forge.next("1.1.0", change=lambda release: replace(release, version="1.9.0"))
    with unchanged(site):
        outcome = take_in(site, forge.media(out, "1.1.0", "1.0.0"))
        refused(outcome, 20, "1.9.0", "does not exist")


def test_a_signed_tag_of_another_commit_vouches_for_nothing(forge: Forge) -> None:
    commit = forge.next("1.1.0")
    forge.retag("1.1.0", forge.history.find("1.0.0").commit)
    with pytest.raises(DamagedError, match=r"1\.1\.0, but that tag points to"):
        verify_release(forge.history, commit, forge.directory.trust())


def test_a_tag_that_moved_is_refused(forge: Forge, site: Path, out: Path) -> None:
    """The bundle's tag 1.0.0 is another object than the site's."""
    forge.next("1.1.0")
    media = forge.media(out, "1.1.0")
    with unchanged(site):
        head, _, pack = (media / "history.bundle").read_bytes().partition(b"\n\n")
        new = git(forge.history.path, "rev-parse", "refs/tags/1.1.0").encode()
        old = git(forge.history.path, "rev-parse", "refs/tags/1.0.0").encode()
        overwrite(media / "history.bundle", head.replace(old, new) + b"\n\n" + pack)
        sign_index(media, forge.key)
        outcome = take_in(site, media)
        assert outcome.code in {20, 31}, outcome
        refused(outcome, outcome.code, "1.0.0")
