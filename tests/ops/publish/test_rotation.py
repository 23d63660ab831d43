"""Trust roots that follow one another: drafted, signed in turn, carried on media, walked by sites."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from airstore.ops.stores.directory import open_directory
from airstore.trust import envelope
from airstore.trust.root.sign import PAYLOAD_TYPE, parse_root, sign_root
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.state import TrustState
from tests.ops.apply.test_plan import apply, plan
from tests.support.faults.forged_media import git
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    media_files,
    overwrite,
    refused,
    rewrite,
    snapshot,
    sound,
    unchanged,
    write_site_file,
)
from tests.support.product.rotation import Rotation, held

pytestmark = pytest.mark.slow


@pytest.fixture
def rotation(own_road: Road) -> Rotation:
    return Rotation.of(own_road)


def root_of(store: Path) -> int:
    return open_directory(store).trust_root().version


def test_the_root_key_is_another_one_by_default(road: Road) -> None:
    root = parse_root(road.root.read_bytes()).root
    roles = {role: [root.name_of(key) for key in members.keys] for role, members in root.roles.items()}
    assert roles == {"root": ["root"], "release": ["release"]}
    assert (road.publisher / "keys" / "root").stat().st_mode & 0o777 == 0o600


def test_a_root_key_that_was_not_taken_away_is_said_with_each_release(own_road: Road) -> None:
    creating = ("-C", own_road.publisher, "release", "create", "--version")
    assert "warning: the root key root lies in" in done(*creating, "1.2.0").err
    Rotation.of(own_road)
    assert "root key" not in done(*creating, "1.3.0").err


def test_a_publisher_goes_on_after_its_key_was_replaced(rotation: Rotation) -> None:
    publisher = rotation.road.publisher
    rotation.replace("release", "second")
    sound(publisher, "1.0.0", "1.1.0")
    done("-C", publisher, "release", "verify")
    signers = [row["signer"] for row in done("-C", publisher, "log", "-o", "json").json()]
    assert signers == ["release", "release"]
    refused(
        airstore("-C", publisher, "release", "create", "--version", "1.2.0", "--key", "release"),
        2,
        "does not let the key 'release'",
        "second",
    )
    rotation.release("1.2.0", "second")
    sound(publisher, "1.0.0", "1.1.0", "1.2.0")
    command = ["git", "-C", str(publisher / "history.git"), "log", "--format=%G? %GS", "main"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown == ["G second", "G release.until-1.1.0", "G release.until-1.1.0"]


def test_a_site_walks_every_root_before_it_imports(rotation: Rotation, new_site: Path) -> None:
    """Two rotations on one media; a new site and one that holds a release end the same."""
    rotation.replace("release", "second")
    rotation.replace("second", "third")
    rotation.release("1.2.0", "third")
    media = rotation.media("1.2.0", "third")
    assert {"roots/1.json", "roots/2.json", "roots/3.json"} <= set(media_files(media))
    done("-C", rotation.road.site, "media", "verify", media)
    with unchanged(rotation.road.site):
        done("-C", rotation.road.site, "media", "import", "--dry-run", media)
    for site in (rotation.road.site, new_site):
        assert "trust root 3 is in force" in rotation.imports(site, media)
        assert TrustState.load(site / "trust" / "state.json").root_version == 3
        sound(site, "1.0.0", "1.1.0", "1.2.0")
        assert [
            row["version"] for row in done("-C", site, "trust", "root", "verify", "-o", "json").json()
        ] == [*(1, 2, 3)]


def test_a_site_enrolled_with_a_later_root_verifies_what_was_signed_before_it(
    rotation: Rotation, tmp_path: Path
) -> None:
    rotation.replace("release", "second")
    site = tmp_path / "late"
    done("init", site, "--site", "acme", "--trust", rotation.road.root)
    refused(airstore("-C", site, "media", "import", rotation.road.full_new), 30, "signed by 0 of the 1")
    rotation.imports(site, rotation.media("1.1.0", "second"))
    sound(site, "1.0.0", "1.1.0")


def test_without_the_roots_in_between_nothing_is_imported(rotation: Rotation) -> None:
    rotation.replace("release", "second")
    rotation.replace("second", "third")
    media, site = rotation.media("1.1.0", "third"), rotation.road.site
    (media / "roots" / "2.json").unlink()
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), 31, "gap: after trust root 1 comes 2")
    shutil.rmtree(media / "roots")
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), 30, "signed by 0 of the 1")


@pytest.mark.parametrize("what", ["new key alone", "cut", "huge", "link", "bare", "another form"])
def test_threat_a_root_on_media_that_is_none(what: str, rotation: Rotation, tmp_path: Path) -> None:
    rotation.replace("release", "second")
    media, site = rotation.media("1.1.0", "second"), rotation.road.site
    file = media / "roots" / "2.json"
    mallory = PrivateKey.generate()
    root, own = parse_root(file.read_bytes()).root, PrivateKey.load(rotation.root_key)
    edits = {
        "new key alone": lambda _data: sign_root(root, [mallory]),
        "cut": lambda data: data[: len(data) // 2],
        "huge": lambda data: data + b" " * (1 << 20),
        "another form": lambda _data: envelope.sign(root.to_bytes() + b" ", PAYLOAD_TYPE, [own]),
        "bare": lambda data: json.dumps({**json.loads(data), "signatures": []}).encode(),
    }
    if what == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    else:
        rewrite(file, edits[what])
    codes = {"new key alone": 30, "cut": 20, "huge": 20, "link": 21, "bare": 30, "another form": 20}
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), codes[what])
        refused(airstore("-C", site, "media", "verify", media), codes[what])
        assert airstore("media", "verify", media).code == codes[what]


def test_the_roots_on_media_are_no_place_for_other_files(rotation: Rotation) -> None:
    rotation.replace("release", "second")
    media = rotation.media("1.1.0", "second")
    (media / "roots" / "notes.txt").write_text("hello")
    refused(airstore("-C", rotation.road.site, "media", "import", media), 20, "roots/notes.txt is not listed")


def test_every_volume_carries_the_roots(rotation: Rotation, tmp_path: Path) -> None:
    rotation.replace("release", "second")
    media = rotation.media("1.1.0", "second", "--volume-size", "1M", "--parity", "10%")
    volumes = sorted(media.iterdir())
    assert len(volumes) > 1
    for volume in volumes:
        assert sum(path.stat().st_size for path in volume.rglob("*") if path.is_file()) <= 1 << 20
        assert (volume / "roots" / "2.json").is_file()
    done("-C", rotation.road.site, "media", "verify", media)
    done("-C", rotation.road.site, "media", "import", *reversed(volumes))
    sound(rotation.road.site, "1.0.0", "1.1.0")


def test_media_of_the_first_root_are_what_they_were(road: Road) -> None:
    """Sites of before rotation read them."""
    assert not [path for path in media_files(road.full_new) if "root" in path]


def test_a_root_alone_revokes_a_key_at_once(rotation: Rotation) -> None:
    site = rotation.road.site
    rotation.replace("release", "second")
    with unchanged(site):
        done("-C", site, "trust", "root", "verify", rotation.road.root)
    done("-C", site, "trust", "root", "import", rotation.road.root)
    assert root_of(site) == 2
    sound(site, "1.0.0")
    before = snapshot(site)
    for media in (rotation.road.delta, rotation.road.full_new):
        refused(airstore("-C", site, "media", "import", media), 30, "signed by 0 of the 1")
    assert snapshot(site) == before


def test_a_walk_that_was_killed_is_finished_by_the_next_import(rotation: Rotation) -> None:
    """`root.json` is the new one already; the state is not."""
    site = rotation.road.site
    rotation.replace("release", "second")
    (site / "trust" / "roots").mkdir()
    shutil.copyfile(
        rotation.road.publisher / "trust" / "roots" / "1.json", site / "trust" / "roots" / "1.json"
    )
    overwrite(site / "trust" / "root.json", rotation.road.root.read_bytes())
    sound(site, "1.0.0")
    rotation.imports(site, rotation.media("1.1.0", "second"))
    assert TrustState.load(site / "trust" / "state.json").root_version == 2
    sound(site, "1.0.0", "1.1.0")


def test_a_root_that_goes_back_is_refused_by_the_state(rotation: Rotation) -> None:
    site, old = rotation.road.site, rotation.road.root.read_bytes()
    rotation.replace("release", "second")
    done("-C", site, "trust", "root", "import", rotation.road.root)
    overwrite(site / "trust" / "root.json", old)
    refused(airstore("-C", site, "media", "import", rotation.road.delta), 31, "version 1, but version 2")
    assert airstore("-C", site, "check").code == 20


def test_an_earlier_root_that_was_changed_in_the_store_is_damage(rotation: Rotation) -> None:
    rotation.replace("release", "second")
    publisher = rotation.road.publisher
    overwrite(publisher / "trust" / "roots" / "1.json", publisher.joinpath("trust/root.json").read_bytes())
    refused(airstore("-C", publisher, "log"), 20, "roots/1.json", "version 2 continues")
    (publisher / "trust" / "roots" / "1.json").unlink()
    refused(airstore("-C", publisher, "log"), 30, "before version 2, and that one is not here")


def test_a_release_made_after_the_draft_is_not_disowned_by_it(rotation: Rotation) -> None:
    publisher = rotation.road.publisher
    done("-C", publisher, "key", "generate", "second")
    rotation.change("add-key", "second")
    rotation.change("remove-key", "release")
    rotation.release("1.2.0", "release")
    words = ("-C", publisher, "trust", "root", "sign", "--key-file", rotation.root_key)
    refused(airstore(*words), 31, "disowns releases of this store after sequence 2", "--replace")
    sound(publisher, "1.0.0", "1.1.0", "1.2.0")
    rotation.change("create", "--replace", "--release-key", "second")
    rotation.change("remove-key", "release")
    rotation.sign()
    sound(publisher, "1.0.0", "1.1.0", "1.2.0")


def test_drafts_are_refused_where_they_cannot_be(rotation: Rotation) -> None:
    publisher = rotation.road.publisher
    root = ("-C", publisher, "trust", "root")
    with unchanged(publisher):
        refused(airstore(*root, "remove-key", "release"), 2, "no key would be left in the role release")
        refused(airstore(*root, "remove-key", "nobody"), 10, "no key 'nobody'", "release, root")
        refused(airstore(*root, "add-key", "release"), 2, "in the role release already")
        refused(airstore(*root, "add-key", "nobody"), 10, "neither a public key's file")
        refused(airstore(*root, "create", "--root-threshold", "2"), 2, "threshold of 2 cannot be met by 1")
        assert airstore(*root, "create", "--expires", "soon").code == 2
        refused(airstore(*root, "sign", "--key-file", rotation.root_key), 10, "no draft")
    rotation.change("create", "--expires", "365d")
    refused(airstore(*root, "create"), 2, "--replace")
    refused(airstore(*root, "sign", "--key", "release"), 2, "release is no root key")
    refused(airstore(*root, "sign"), 2, "nothing to sign with")
    rotation.sign()
    expires = done(*root, "show", "-o", "json").json()["expires"]
    assert expires.startswith("20")
    rotation.change("create", "--expires", "never")
    rotation.sign()
    assert done(*root, "show", "-o", "json").json()["expires"] == "never"


def test_two_of_three_people_rotate_the_root(rotation: Rotation, tmp_path: Path) -> None:
    """Each signs a copy of the draft on another machine, without a store; two are enough, one is not."""
    road = rotation.road
    people = {}
    for name in ("anna", "ben", "cleo", "dora"):
        key, people[name] = PrivateKey.generate(), tmp_path / name
        key.save(people[name])
        key.public.save(tmp_path / f"{name}.pub")
    for name in ("anna", "ben", "cleo"):
        rotation.change("add-key", tmp_path / f"{name}.pub", "--role", "root")
    rotation.change("remove-key", "root", "--root-threshold", "2")
    done("-C", road.publisher, "trust", "root", "sign", "--key-file", rotation.root_key)
    draft, carried = road.publisher / "trust" / "next.json", tmp_path / "draft.json"

    def in_turn(*names: str) -> Path:
        shutil.copyfile(draft, carried)
        for name in names:
            done("trust", "root", "sign", carried, "--key-file", people[name])
        return carried

    importing = ("-C", road.publisher, "trust", "root", "import", carried)
    in_turn("anna", "anna")
    with unchanged(road.publisher):
        refused(airstore(*importing), 30, "1 of the 3 trusted keys; 2 must sign")
    in_turn("anna", "ben")
    done(*importing)
    assert not draft.exists()
    rotation.change("add-key", tmp_path / "dora.pub", "--role", "root")
    rotation.change("remove-key", "anna")
    in_turn("dora", "cleo")  # two of the new ones, one of the old
    with unchanged(road.publisher):
        refused(airstore(*importing), 30, "1 of the 3 trusted keys; 2 must sign")
    in_turn("dora", "cleo", "ben")
    done(*importing)
    shown = done("-C", road.publisher, "trust", "root", "show", "-o", "json").json()
    assert (shown["version"], shown["signed_by"]) == (3, ["ben", "cleo", "dora"])
    site = road.site
    rotation.imports(site, rotation.media("1.1.0", "release"))
    assert root_of(site) == 3
    sound(site, "1.0.0", "1.1.0")


def test_a_first_root_of_three_people(tmp_path: Path, road: Road) -> None:
    store, root = tmp_path / "s", ("-C", tmp_path / "s", "trust", "root")
    done("init", store, "--product", road.product)
    options: list[str | Path] = []
    for name in ("anna", "ben", "release"):
        key = PrivateKey.generate()
        key.save(tmp_path / name)
        key.public.save(tmp_path / f"{name}.pub")
        options += ["--release-key" if name == "release" else "--root-key", f"{name}={tmp_path / name}.pub"]
    done(*root, "create", *options, "--root-threshold", "2")
    done(*root, "sign", "--key-file", tmp_path / "anna")
    refused(airstore("-C", store, "log"), 10, "has no trust root yet")
    done(*root, "sign", "--key-file", tmp_path / "ben")
    shown = done(*root, "show", "-o", "json").json()
    assert (shown["version"], shown["signed_by"], shown["signatures_missing"]) == (1, ["anna", "ben"], 0)
    done("init", tmp_path / "site", "--site", "acme", "--trust", store / "trust" / "root.json")


def test_a_thief_of_the_release_key_is_locked_out(rotation: Rotation, new_site: Path) -> None:
    """One site was fooled, one was not; the next genuine media put both right."""
    road, thief = rotation.road, rotation.thief()
    thief.next("1.2.0")
    stolen = thief.media(road.base / "stolen", "1.2.0")
    rotation.imports(road.site, stolen)
    assert held(road.site) == ["1.0.0", "1.1.0", "1.2.0"]
    rotation.replace("release", "second")
    rotation.release("1.2.0", "second")
    media = rotation.media("1.2.0", "second")
    forged = open_directory(road.site).history.find("1.2.0").commit
    with unchanged(road.site):
        refused(airstore("-C", road.site, "media", "import", "--dry-run", media), 31, "disowns", "sequence 2")
    said = rotation.imports(road.site, media)
    assert "trust root 2 disowns what was imported as 1.2.0" in said
    rotation.imports(new_site, media)
    for site in (road.site, new_site):
        sound(site, "1.0.0", "1.1.0", "1.2.0")
        assert git(site / "history.git", "rev-parse", "main") == git(
            road.publisher / "history.git", "rev-parse", "main"
        )
        with unchanged(site):
            refused(airstore("-C", site, "media", "import", stolen), 30, "signed by 0 of the 1")
            refused(airstore("-C", site, "media", "import", road.delta), 30, "signed by 0 of the 1")
    assert git(road.site / "history.git", "for-each-ref", "--format=%(objectname)", "refs/disowned") == forged


def test_what_runs_of_a_disowned_release_is_planned_away(rotation: Rotation, helm4: Path) -> None:
    """The ledger says what was done, whoever signed it; the plan leads from there to what is genuine."""
    road, thief = rotation.road, rotation.thief()
    write_site_file(road.site)
    thief.next("1.2.0")
    thief.next("1.3.0")
    rotation.imports(road.site, thief.media(road.base / "stolen", "1.3.0"))
    apply(road.site, helm4, "1.3.0")
    rotation.replace("release", "second")
    rotation.imports(road.site, rotation.media("1.1.0", "second"))
    planned = plan(road.site)
    assert (planned["version"], planned["running"]) == ("1.1.0", "1.3.0")
    assert done("-C", road.site, "history", "-o", "json").json()[0]["release"] == "1.3.0"
    done("-C", road.site, "receipt", road.base / "receipt.json")


def test_a_fork_that_a_later_release_overtook_is_recovered(rotation: Rotation) -> None:
    """The publisher went on unaware; its root names a release that the fooled site never saw."""
    road, thief = rotation.road, rotation.thief()
    thief.next("1.2.0")
    rotation.imports(road.site, thief.media(road.base / "stolen", "1.2.0"))
    forged = git(road.site / "history.git", "rev-parse", "main")
    rotation.release("1.2.0", "release")
    rotation.release("1.3.0", "release")
    rotation.release("1.4.0", "release")
    before = rotation.media("1.4.0", "release")
    refused(airstore("-C", road.site, "media", "import", before), 31)
    rotation.replace("release", "second")
    rotation.imports(road.site, rotation.media("1.4.0", "second"))
    sound(road.site, "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0")
    assert root_of(road.site) == 2
    evidence = git(road.site / "history.git", "for-each-ref", "--format=%(objectname)", "refs/disowned")
    assert evidence == forged


@pytest.mark.parametrize("renewed", [False, True])
def test_another_release_in_the_place_that_a_root_names_is_a_fork(renewed: bool, rotation: Rotation) -> None:
    """By a key that was good then: where it parted nobody can say, but for what an earlier root names."""
    road, thief = rotation.road, rotation.thief()
    thief.next("1.2.0")
    rotation.imports(road.site, thief.media(road.base / "stolen", "1.2.0"))
    if renewed:
        rotation.change("create", "--expires", "365d")
        rotation.sign()
    rotation.release("1.2.0", "release")
    rotation.replace("release", "second")
    trust = road.publisher / "trust"
    files = [*sorted((trust / "roots").glob("*.json")), trust / "root.json"]
    done("-C", road.site, "trust", "root", "import", *files)
    assert held(road.site) == (["1.0.0", "1.1.0"] if renewed else [])
    assert TrustState.load(road.site / "trust" / "state.json").sequence == (2 if renewed else 0)
    done("-C", road.site, "check")
    rotation.imports(road.site, rotation.media("1.2.0", "second"))
    sound(road.site, "1.0.0", "1.1.0", "1.2.0")


def test_media_that_end_before_the_release_a_revocation_names_are_stale(
    rotation: Rotation, new_site: Path
) -> None:
    """Whoever signs the index has a good key; the history could be by anybody who had the revoked one."""
    rotation.replace("release", "second")
    media = rotation.media("1.0.0", "second")
    refused(airstore("-C", new_site, "media", "import", media), 31, "stale", "forge releases up to 2")
    assert held(new_site) == []
