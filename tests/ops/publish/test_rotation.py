"""Trust roots that follow one another: drafted, signed in turn, carried on media, walked by sites."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from airstore.trust import envelope
from airstore.trust.root.sign import PAYLOAD_TYPE, parse_root, sign_root
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.state import TrustState
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
)
from tests.support.product.rotation import Rotation, root_of

pytestmark = pytest.mark.slow


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
