"""Releases that several people sign: pending until enough have, and refused until then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases.trusted import PENDING
from airstore.trust.ssh.keys import PrivateKey
from tests.support.faults.forged_media import Forge, git
from tests.support.product.road_parts import Road, airstore, done, refused, sound, unchanged
from tests.support.product.rotation import Rotation, held

pytestmark = pytest.mark.slow


@pytest.fixture
def two(own_road: Road, tmp_path: Path) -> Rotation:
    """A publisher whose releases take two of three keys; the other two are with their holders."""
    rotation = Rotation.of(own_road)
    for name in ("ben", "cleo"):
        key = PrivateKey.generate()
        key.save(tmp_path / name)
        key.public.save(tmp_path / f"{name}.pub")
        rotation.change("add-key", tmp_path / f"{name}.pub", "--release-threshold", "2")
    rotation.sign()
    return rotation


def test_a_release_is_pending_until_enough_have_signed_it(two: Rotation, tmp_path: Path) -> None:
    publisher = ("-C", two.road.publisher)
    with unchanged(two.road.publisher):
        both = ("release", "create", "--version", "1.2.0", "--key", "release", "--media", tmp_path / "m")
        refused(airstore(*publisher, *both), 2, "--media cannot wait for the others", "media create")
    created = done(*publisher, "release", "create", "--version", "1.2.0", "--key", "release")
    assert "release 1.2.0 is pending: it needs 1 more signatures" in created.err
    assert held(two.road.publisher) == ["1.0.0", "1.1.0"]
    assert (
        "release 1.2.0 is pending: signed by release; 1 more must sign"
        in done(*publisher, "release", "list").err
    )
    making = ("media", "create", "--to", "1.2.0", "--key", "release", tmp_path / "m")
    refused(airstore(*publisher, *making), 30, "release 1.2.0 is pending", "airstore release sign 1.2.0")
    with unchanged(two.road.publisher):
        other = ("release", "create", "--version", "1.3.0", "--key", "release")
        refused(airstore(*publisher, *other), 31, "release 1.2.0 is pending", "discard")
        stranger = tmp_path / "stranger"
        PrivateKey.generate().save(stranger)
        signing = ("release", "sign", "1.2.0", "--key-file")
        refused(airstore(*publisher, *signing, stranger), 2, "does not let this key sign")
        refused(airstore(*publisher, "release", "sign", "1.3.0", "--key-file", tmp_path / "ben"), 10, "1.3.0")
    again = done(*publisher, "release", "sign", "1.2.0", "--key", "release", "-o", "json").json()
    assert (again["state"], again["signatures_missing"]) == ("pending", 1), "one person twice is one"
    signed = done(*publisher, *signing, tmp_path / "ben", "-o", "json").json()
    assert (signed["state"], signed["signed_by"]) == ("signed", ["ben", "release"])
    sound(two.road.publisher, "1.0.0", "1.1.0", "1.2.0")
    assert "pending" not in git(two.road.publisher / "history.git", "for-each-ref")
    two.imports(two.road.site, two.media("1.2.0", "release"))
    sound(two.road.site, "1.0.0", "1.1.0", "1.2.0")


def test_a_site_refuses_a_pending_release(two: Rotation) -> None:
    """Whoever has one of the keys can make all else that media need."""
    forge = Forge(two.road.publisher, two.road.key)
    forge.next("1.2.0")
    media, site = forge.media(two.road.base / "pending", "1.2.0"), two.road.site
    done("-C", site, "trust", "root", "import", two.road.root)
    with unchanged(site):
        outcome = airstore("-C", site, "media", "import", media)
        refused(outcome, 30, "is pending: signed by 1 of 3 trusted keys; 2 must", "airstore release sign")


def test_the_envelope_of_a_release_is_what_stock_tools_verify(two: Rotation, tmp_path: Path) -> None:
    """OpenSSH is not needed to make it: the commit is signed by whoever came last, in git's own form."""
    publisher = ("-C", two.road.publisher)
    done(*publisher, "release", "create", "--version", "1.2.0", "--key", "release")
    done(*publisher, "release", "sign", "1.2.0", "--key-file", tmp_path / "cleo")
    tag = git(two.road.publisher / "history.git", "cat-file", "tag", "1.2.0") + "\n"
    text, marker, rest = tag.partition("-----BEGIN SSH SIGNATURE-----")
    (tmp_path / "signature").write_text(marker + rest)
    command = ["ssh-keygen", "-Y", "verify", "-n", "git", "-I", "cleo", "-s", str(tmp_path / "signature")]
    command += ["-f", str(two.road.publisher / "history.git" / "allowed_signers")]
    shown = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown
    assert 'Good "git" signature for cleo' in shown.stdout


def test_the_same_release_made_again_keeps_its_signatures_and_another_loses_them(two: Rotation) -> None:
    publisher = ("-C", two.road.publisher)
    creating = ("release", "create", "--version", "1.2.0", "--key", "release")
    done(*publisher, *creating)
    done(*publisher, *creating)
    branch = f"refs/heads/{PENDING}1.2.0"
    history = open_directory(two.road.publisher).history
    assert len(list(history.entries(f"{PENDING}1.2.0"))) == 2
    first = git(history.path, "rev-parse", f"{branch}:release.json")
    values = two.road.product.parent / "values" / "db.yaml"
    values.write_text(values.read_text() + "\n# another\n")
    done(*publisher, *creating)
    assert git(history.path, "rev-parse", f"{branch}:release.json") != first


def test_a_pending_release_can_be_given_up(two: Rotation) -> None:
    publisher = ("-C", two.road.publisher)
    refused(airstore(*publisher, "release", "discard", "1.2.0"), 10, "no release 1.2.0 is pending")
    done(*publisher, "release", "create", "--version", "1.2.0", "--key", "release")
    done(*publisher, "release", "discard", "1.2.0")
    refused(airstore(*publisher, "release", "sign", "1.2.0", "--key", "release"), 10, "no release 1.2.0")
    done(*publisher, "release", "create", "--version", "1.3.0", "--key", "release")


def test_a_pending_release_that_another_one_overtook_is_signed_no_more(two: Rotation, tmp_path: Path) -> None:
    publisher, ben = ("-C", two.road.publisher), tmp_path / "ben"
    done(*publisher, "release", "create", "--version", "1.2.0", "--key", "release")
    history = open_directory(two.road.publisher).history
    draft = history.branches()[f"{PENDING}1.2.0"]
    done(*publisher, "release", "discard", "1.2.0")
    done(*publisher, "release", "create", "--version", "1.3.0", "--key", "release")
    done(*publisher, "release", "sign", "1.3.0", "--key-file", ben)
    history.refs.set(f"refs/heads/{PENDING}1.2.0", draft)
    outcome = airstore(*publisher, "release", "sign", "1.2.0", "--key-file", ben)
    refused(outcome, 31, "does not continue the newest release")


def test_what_is_signed_is_what_was_created(two: Rotation, tmp_path: Path) -> None:
    """The next signature is over the tree that the first was over, whoever wrote to the branch since."""
    publisher = ("-C", two.road.publisher)
    done(*publisher, "release", "create", "--version", "1.2.0", "--key", "release")
    history = open_directory(two.road.publisher).history
    branch = f"{PENDING}1.2.0"
    tree = history.files(history.branches()[branch])
    for name, data in (("release.json", tree["release.json"].replace(b"1.2.0", b"1.2.1")), ("more", b"x")):
        history.commit_entry(branch, {**tree, name: data}, "m", ("a", "a@b"), 1)
        refused(
            airstore(*publisher, "release", "sign", "1.2.0", "--key-file", tmp_path / "ben"),
            20,
            "not what was signed",
        )
