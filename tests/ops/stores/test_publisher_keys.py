"""Which key a publisher signs with: none, one of several, one with a passphrase, one that others may read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airstore.trust.root.sign import TrustRoot, sign_root
from airstore.trust.ssh.keys import PrivateKey
from tests.support.product.road_parts import (
    Outcome,
    Road,
    airstore,
    done,
    overwrite,
    refused,
    separately,
    snapshot,
    sound,
    unchanged,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def publisher(road: Road, tmp_path: Path) -> Path:
    """Without keys yet."""
    done("init", tmp_path / "p", "--product", road.product)
    return tmp_path / "p"


def create(publisher: Path, *more: str | Path) -> Outcome:
    return airstore("-C", publisher, "release", "create", "--version", "1.0.0", *more)


def test_without_a_key_nothing_is_signed(publisher: Path, tmp_path: Path) -> None:
    with unchanged(publisher):
        refused(create(publisher), 10, "has no key", "airstore key generate")
        refused(airstore("-C", publisher, "trust", "root", "show"), 10, "trust root")
    assert done("-C", publisher, "key", "list", "-o", "json").json() == []


def test_a_key_is_named_by_what_is_there(publisher: Path, road: Road) -> None:
    done("-C", publisher, "key", "generate", "release")
    with unchanged(publisher):
        refused(airstore("-C", publisher, "key", "generate", "release"), 2, "already", "hint: ")
        outcome = airstore("-C", publisher, "release", "create", "--version", "1", "--key", "none")
        refused(outcome, 10, "'none'", "release")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "-x", "a b", "x.pub", "x" * 80, "\x1b[31m", "ä"])
def test_a_key_that_cannot_be_called_so_is_not_made(name: str, publisher: Path) -> None:
    before = snapshot(publisher.parent)
    for _ in range(2):
        outcome = airstore("-C", publisher, "key", "generate", "--", name)
        refused(outcome, 2)
        assert "\x1b" not in outcome.err
        assert snapshot(publisher.parent) == before
        done("-C", publisher, "key", "list")


def test_a_key_that_the_root_does_not_name_signs_nothing(own_road: Road, tmp_path: Path) -> None:
    """What it signed would be refused by every site, and then by the store itself."""
    publisher = own_road.publisher
    assert "cannot sign releases" in done("-C", publisher, "key", "generate", "second").err
    with unchanged(publisher):
        for words in (
            ("release", "create", "--version", "1.2.0"),
            ("media", "create", "--to", "1.1.0", tmp_path / "out"),
        ):
            refused(airstore("-C", publisher, *words, "--key", "second"), 2, "'second'", "release", "hint: ")
    assert not (tmp_path / "out").exists()
    done("-C", publisher, "media", "create", "--to", "1.1.0", tmp_path / "out")  # the only one that may
    rows = done("-C", publisher, "key", "list", "-o", "json").json()
    assert {row["name"]: set(row["roles"]) for row in rows} == {
        "release": {"release"},
        "root": {"root"},
        "second": set(),
    }


def two_keys(road: Road, threshold: int = 1) -> None:
    done("-C", road.publisher, "key", "generate", "second")
    second = PrivateKey.load(road.publisher / "keys" / "second")
    keys = {"release": road.key.public, "second": second.public}
    roles = {"root": (["release"], 1), "release": (["release", "second"], threshold)}
    overwrite(road.root, sign_root(TrustRoot.create("shop", keys, roles), [road.key]))


def test_of_two_keys_one_is_named(own_road: Road, tmp_path: Path) -> None:
    two_keys(own_road)
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.0.0", tmp_path / "out")
    with unchanged(own_road.publisher):
        refused(airstore(*words), 2, "release, second", "--key")
        done(*words, "--key", "second")
    site = tmp_path / "site"
    done("init", site, "--site", "acme", "--trust", own_road.root)
    done("-C", site, "media", "import", tmp_path / "out")
    sound(site, "1.0.0")


def test_one_key_is_not_enough_where_two_are_wanted(own_road: Road, tmp_path: Path) -> None:
    two_keys(own_road, threshold=2)
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.0.0", "--key", "release")
    outcome = airstore(*words, tmp_path / "out")
    assert outcome.code in {2, 30}
    refused(outcome, outcome.code, "2")
    assert not (tmp_path / "out").exists()


def test_passphrases(publisher: Path, tmp_path: Path) -> None:
    right, wrong, empty = (tmp_path / name for name in ("right", "wrong", "empty"))
    right.write_text("correct horse\nsecond line\n")
    wrong.write_text("battery staple\n")
    empty.write_text("\n")
    words = ("-C", publisher, "key", "generate", "release")
    with unchanged(publisher):
        refused(airstore(*words, "--passphrase-file", empty), 2, "empty")
        refused(airstore(*words, "--passphrase-file", tmp_path / "none"), 10, "passphrase file")
        outcome = separately(*words, "--encrypt")  # no terminal to ask on
        refused(outcome, 2, "passphrase", "--passphrase-file")
    done(*words, "--passphrase-file", right)
    key = (publisher / "keys" / "release").read_bytes()
    keygen = ("ssh-keygen", "-y", "-P", "correct horse", "-f", str(publisher / "keys" / "release"))
    assert subprocess.run(keygen, capture_output=True, check=False).returncode == 0
    with unchanged(publisher):
        for passphrase in (wrong, empty):
            outcome = create(publisher, "--passphrase-file", passphrase)
            refused(outcome, 2 if passphrase is empty else 30, "passphrase")
            assert "battery" not in outcome.err
        refused(create(publisher, "--passphrase-file", tmp_path / "none"), 10)
        refused(separately("-C", publisher, "release", "create", "--version", "1"), 2, "encrypted")
    environment = {"AIRSTORE_PASSPHRASE_FILE": str(right)}
    done("-C", publisher, "release", "create", "--version", "1.0.0", env=environment)
    done("-C", publisher, "media", "create", "--to", "1.0.0", tmp_path / "o", "--passphrase-file", right)
    assert (publisher / "keys" / "release").read_bytes() == key
    for path in publisher.rglob("*"):
        assert not path.is_file() or b"correct horse" not in path.read_bytes()


def test_a_key_that_others_may_read_is_not_used(own_road: Road, tmp_path: Path) -> None:
    (own_road.publisher / "keys" / "release").chmod(0o644)
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.0.0", tmp_path / "out")
    with unchanged(own_road.publisher):
        refused(airstore(*words), 30, "mode 0644", "chmod 600")
