"""What a site believes: its trust root and state, deleted, edited, exchanged, restored or too old."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest

from airstore.core.image.digest import Digest
from airstore.core.parsing import strictjson
from airstore.trust.root.sign import TrustRoot, sign_root, verify_first
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.state import TrustState
from tests.support.faults.forged_media import git
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    overwrite,
    refused,
    snapshot,
    sound,
    unchanged,
)

EXPIRY = datetime(2030, 1, 1, tzinfo=UTC)
DAY = 86_400


@contextmanager
def clock(offset: int) -> Iterator[None]:
    """The machine's clock, so many seconds after the expiry."""
    with mock.patch("airstore.cli.context.system_time", return_value=EXPIRY.timestamp() + offset):
        yield


def state_of(site: Path) -> Path:
    return site / "trust" / "state.json"


def test_a_deleted_state_is_no_fresh_start(road: Road, site: Path) -> None:
    state_of(site).unlink()
    with unchanged(site):
        for media in (road.full, road.delta, road.full_new):
            refused(airstore("-C", site, "media", "import", media), 30, "state.json", "deleted", "hint: ")
        refused(airstore("-C", site, "receipt"), 30, "state.json")
        outcome = airstore("-C", site, "check")
        assert outcome.code == 20
        assert "state.json" in outcome.out


@pytest.mark.parametrize("edit", [b"", b"{}", b"\0" * 500, b"{"])
def test_a_state_that_is_none_is_damage(edit: bytes, road: Road, site: Path) -> None:
    overwrite(state_of(site), edit)
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", road.delta), 20, "state.json")
        refused(airstore("-C", site, "receipt"), 20, "state.json")


@pytest.mark.parametrize(
    "change", [{"sequence": 0}, {"sequence": 2}, {"sequence": 1.0}, {"rootVersion": 2}, {"more": 1}]
)
def test_an_edited_state_is_damage(change: dict[str, object], road: Road, site: Path) -> None:
    document = json.loads(state_of(site).read_bytes())
    overwrite(state_of(site), strictjson.dumps(document | change))
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", road.delta), 20, "state.json")


def test_a_state_restored_from_a_backup_brings_nothing_old_back(road: Road, site: Path) -> None:
    """The history is further than the state says, as after a kill between the two."""
    backup = state_of(site).read_bytes()
    done("-C", site, "media", "import", road.delta)
    overwrite(state_of(site), backup)
    assert done("-C", site, "media", "import", road.full).out.rstrip().endswith("held already")
    assert git(site / "history.git", "log", "-1", "--format=%s", "main") == "shop 1.1.0"
    done("-C", site, "media", "import", road.delta)
    assert TrustState.load(state_of(site)).sequence == 2
    sound(site, "1.0.0", "1.1.0")


def test_a_state_of_another_history_is_out_of_sequence(road: Road, site: Path) -> None:
    state = TrustState.load(state_of(site))
    state_of(site).unlink()
    replace(state, release=Digest.of(b"other"), commit="1" * 40).save(state_of(site))
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", road.delta), 31, "111111111111", "hint: ")


def another_root(site: Path, *, version: int = 1, key: PrivateKey | None = None) -> None:
    other = key or PrivateKey.generate()
    roles = {"root": (["release"], 1), "release": (["release"], 1)}
    root = TrustRoot.create("shop", {"release": other.public}, roles, version=version)
    overwrite(site / "trust" / "root.json", sign_root(root, [other]))


def test_another_root_makes_everything_that_is_there_untrusted(road: Road, site: Path) -> None:
    another_root(site)
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", road.delta), 30, "signed by 0 of the 1", "trust root")
        for words in (("release", "list"), ("log",), ("release", "verify"), ("plan",)):
            outcome = airstore("-C", site, *words)
            refused(outcome, 30, "1 trusted keys")
        assert airstore("-C", site, "check").code == 20


def test_a_root_of_another_version_is_not_the_one_in_force(road: Road, site: Path) -> None:
    another_root(site, version=2, key=road.key)
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", road.delta), 31, "version 2", "version 1")
        assert airstore("-C", site, "check").code == 20


def test_a_root_that_is_not_signed_by_itself_is_refused(road: Road, site: Path, tmp_path: Path) -> None:
    root = verify_first(road.root.read_bytes())
    forged = sign_root(root, [PrivateKey.generate()])
    file = tmp_path / "root.json"
    file.write_bytes(forged)
    refused(airstore("init", tmp_path / "s", "--site", "acme", "--trust", file), 30, "trust root")
    assert not (tmp_path / "s").exists()
    overwrite(site / "trust" / "root.json", forged)
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", road.delta), 30, "trust root")


@pytest.mark.parametrize("root", [None, b"", b"{}", b"x" * 1000])
def test_a_root_that_is_missing_or_damaged_is_refused(root: bytes | None, road: Road, site: Path) -> None:
    path = site / "trust" / "root.json"
    if root is None:
        path.unlink()
    else:
        overwrite(path, root)
    with unchanged(site):
        outcome = airstore("-C", site, "media", "import", road.delta)
        refused(outcome, 10 if root is None else 20, "trust root")
        refused(airstore("-C", site, "log"), 10 if root is None else 20, "trust root")


@pytest.fixture
def expiring(own_road: Road, tmp_path: Path) -> Road:
    """A publisher whose root expires in 2030, and its site."""
    root = verify_first(own_road.root.read_bytes())
    names = {"release": own_road.key.public}
    roles = {"root": (["release"], 1), "release": (["release"], 1)}
    until = TrustRoot.create(root.product, names, roles, expires=EXPIRY)
    overwrite(own_road.root, sign_root(until, [own_road.key]))
    shutil.rmtree(own_road.site)
    done("init", own_road.site, "--site", "acme", "--trust", own_road.root)
    return own_road


def test_an_expired_root_takes_nothing_in(expiring: Road) -> None:
    words = ("-C", expiring.site, "media", "import", expiring.full)
    with unchanged(expiring.site), clock(0):
        refused(airstore(*words), 30, "expired", "2030-01-01", "hint: ")
        refused(airstore(*words, "--dry-run"), 30, "expired")
    with clock(-1):
        done(*words)
    sound(expiring.site, "1.0.0")


def test_no_variable_moves_a_sites_clock(expiring: Road) -> None:
    words = ("-C", expiring.site, "media", "import", expiring.full)
    past = str(int(EXPIRY.timestamp()) - DAY)
    with unchanged(expiring.site), clock(DAY):
        refused(airstore(*words, env={"SOURCE_DATE_EPOCH": past}), 30, "expired")


def test_what_brings_something_new_is_refused_once_the_root_has_expired(expiring: Road) -> None:
    done("-C", expiring.site, "media", "import", expiring.full)
    for command in ("apply", "registry push http://127.0.0.1:1", "registry bootstrap"):
        with unchanged(expiring.site), clock(0):
            refused(airstore("-C", expiring.site, *command.split()), 30, "expired on 2030-01-01")


@pytest.mark.parametrize("command", ["log", "release list", "release verify", "check", "receipt", "history"])
def test_every_other_command_says_how_long_the_root_is_good(expiring: Road, command: str) -> None:
    """A cluster must be looked after whatever the date is."""
    done("-C", expiring.site, "media", "import", expiring.full)
    for offset, said in (
        (-31 * DAY, ""),
        (-30 * DAY + 1, "warning: trust root 1 of shop expires in 29 days"),
        (-1, "expires in 0 days"),
        (0, "warning: trust root 1 of shop expired on 2030-01-01"),
    ):
        with clock(offset):
            outcome = done("-C", expiring.site, *command.split())
        assert outcome.err.count("trust root 1 of shop") == (1 if said else 0), outcome.err
        assert said in outcome.err


def test_a_publisher_makes_nothing_that_sites_would_refuse_for_its_expired_root(expiring: Road) -> None:
    publisher, out = ("-C", expiring.publisher), expiring.base / "late"
    with clock(0):
        for words in (
            ("release", "create", "--version", "9.0.0"),
            ("media", "create", "--to", "1.0.0", "--effort", "none", out),
        ):
            with unchanged(expiring.publisher):
                refused(airstore(*publisher, *words), 30, "expired on 2030-01-01", "trust root create")
        assert not out.exists()
        done(*publisher, "log")
        with unchanged(expiring.publisher):
            create = (*publisher, "trust", "root", "create", "--expires")
            refused(airstore(*create, "2029-12-31"), 2, "2029-12-31 has gone by")
        done(*create, "2030-01-02")


def test_a_file_that_is_no_root_is_named(own_road: Road, tmp_path: Path) -> None:
    for data in (b"\0" * 9, b"{}", b""):
        (tmp_path / "next.json").write_bytes(data)
        with unchanged(own_road.publisher):
            for words in (("import",), ("sign", "--key-file", own_road.publisher / "keys" / "release")):
                outcome = airstore("-C", own_road.publisher, "trust", "root", *words, tmp_path / "next.json")
                refused(outcome, 20, str(tmp_path / "next.json"))


def test_an_expired_root_is_renewed_by_media(expiring: Road) -> None:
    root, key = ("-C", expiring.publisher, "trust", "root"), expiring.publisher / "keys" / "release"
    done(*root, "create", "--expires", "2031-01-01")
    done(*root, "sign", "--key-file", key)
    media = expiring.base / "renewed"
    with clock(DAY):
        done("-C", expiring.publisher, "media", "create", "--to", "1.0.0", "--effort", "none", media)
        done("-C", expiring.site, "media", "import", media)
        assert "warning" not in done("-C", expiring.site, "log").err


@pytest.mark.parametrize("text", ["yesterday", "-1", "²", "1e9", "9" * 30, "1767225600.5", " 1"])
def test_a_date_that_is_none_is_wrong_usage(text: str, own_road: Road) -> None:
    with unchanged(own_road.publisher):
        words = ("-C", own_road.publisher, "release", "sign", "9.9", "--key", "release")
        refused(airstore(*words, env={"SOURCE_DATE_EPOCH": text}), 2, "SOURCE_DATE_EPOCH")


def test_a_site_is_enrolled_with_exactly_the_root_it_was_given(road: Road, tmp_path: Path) -> None:
    site = tmp_path / "s"
    done("init", site, "--site", "acme", "--trust", road.root)
    assert (site / "trust" / "root.json").read_bytes() == road.root.read_bytes()
    assert TrustState.load(state_of(site)) == TrustState(1)
    assert (site / "keys" / "site").stat().st_mode & 0o777 == 0o600
    before = snapshot(site)
    refused(airstore("init", site, "--site", "acme", "--trust", road.root), 2, "is a store already")
    assert snapshot(site) == before


def test_histories_that_were_tampered_with_at_the_site_are_found(road: Road, site: Path) -> None:
    """A tag moved, a branch rewound, an object edited: whoever reads verifies."""
    done("-C", site, "media", "import", road.delta)
    history = site / "history.git"
    tag = git(history, "rev-parse", "refs/tags/1.0.0")
    git(history, "update-ref", "refs/tags/1.0.0", git(history, "rev-parse", "refs/tags/1.1.0"))
    outcome = airstore("-C", site, "release", "verify")
    refused(outcome, 20, "1.0.0")
    git(history, "update-ref", "refs/tags/1.0.0", tag)
    done("-C", site, "release", "verify")
    git(history, "tag", "more", "1.0.0")
    outcome = airstore("-C", site, "release", "verify")
    assert outcome.code == 20
    assert "more" in outcome.err
    git(history, "tag", "-d", "more")
    pack = max((history / "objects" / "pack").glob("*.pack"), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    overwrite(pack, bytes(data))
    outcome = airstore("-C", site, "check")
    assert outcome.code == 20
    assert "Traceback" not in outcome.err
