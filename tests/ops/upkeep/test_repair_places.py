"""What a store is restored from: media, deltas, other stores, registries; and places that are none or lie."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from airstore.core.parsing import strictjson
from airstore.ops.stores.directory import open_directory
from airstore.trust.ssh.keys import PrivateKey
from tests.support.faults.forged_media import sign_index
from tests.support.product.output_documents import said
from tests.support.product.repairs import broken, damage, repaired
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    flipped,
    pack_of,
    refused,
    rewrite,
    sound,
    unchanged,
)
from tests.support.product.rotation import Rotation
from tests.support.registry.servers import RegistryServer

pytestmark = pytest.mark.slow


def test_a_delta_restores_what_it_brought(road: Road, site: Path) -> None:
    """It rests on files in layers that the site holds whole: they are opened for it."""
    before = set((site / "packs").iterdir())
    done("-C", site, "media", "import", road.delta)
    for path in set((site / "packs").iterdir()) - before:
        path.unlink()
    assert "release 1.1.0" not in broken(site)  # its blobs are what is missing
    outcome = repaired(site, road.delta)
    assert outcome.code == 0, outcome
    sound(site, "1.0.0", "1.1.0")


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        ("nonsense", 2, "is no directory, no registry HOST"),
        ("./nonsense", 10, "is the carrier mounted?"),
        ("", 2, "is the store that is to be repaired"),
        ("127.0.0.1:9", 20, "note: 127.0.0.1:9: "),
        ("new-site", 20, "does not have blob"),
    ],
)
def test_a_wrong_place_is_named_and_changes_nothing(
    place: str, code: int, words: str, road: Road, site: Path
) -> None:
    (site / "packs" / pack_of(site).name).unlink()
    where = {"": str(site), "new-site": str(road.new_site)}.get(place, place)
    with unchanged(site):
        outcome = airstore("-C", site, "repair", "--from", where)
    assert (outcome.code, words in outcome.err) == (code, True), outcome
    assert repaired(site, road.full).code == 0


def test_media_that_somebody_else_signed_are_not_looked_into(road: Road, site: Path, copy: Copy) -> None:
    media = copy(road.full)
    sign_index(media, PrivateKey.generate())
    (site / "packs" / pack_of(site).name).unlink()
    with unchanged(site):
        outcome = repaired(site, media)
    assert outcome.code == 20, outcome
    assert "signed by 0 of the 1 trusted keys" in outcome.err


@pytest.mark.parametrize(
    "name", ["trust/root.json", "history.git/refs/heads/main", "index.sqlite", "packs/more.pack", "new"]
)
def test_a_store_with_pipes_or_devices_is_not_looked_into(name: str, site: Path, own_road: Road) -> None:
    """Whoever carries it would have a command that never ends, or takes all memory."""
    (site / "packs" / pack_of(site).name).unlink()
    path = own_road.publisher / name
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        path.unlink(missing_ok=True)
        make(path)
        with unchanged(site):
            refused(repaired(site, own_road.publisher), 20, f"{path} is neither a file nor a directory")


def test_a_store_may_lead_elsewhere(site: Path, own_road: Road) -> None:
    """Packs on another disk, and a link that leads back; objects that are to be read where nothing is."""
    (site / "packs" / pack_of(site).name).unlink()
    publisher = own_road.publisher
    (publisher / "packs").rename(own_road.base / "elsewhere")
    (publisher / "packs").symlink_to(own_road.base / "elsewhere")
    (publisher / "history.git" / "back").symlink_to(publisher)
    (publisher / "history.git" / "objects" / "info" / "alternates").write_text("/dev/null\n\n/etc\n")
    assert repaired(site, publisher).code == 0
    sound(site, "1.0.0")


def test_a_damaged_place_gives_what_is_good_of_it(road: Road, own_road: Road) -> None:
    site, publisher = own_road.site, own_road.publisher
    for pack in (publisher / "packs").iterdir():
        rewrite(pack, lambda data: data[:8] + bytes(len(data) // 2) + data[8 + len(data) // 2 :])
    for pack in (site / "packs").iterdir():
        pack.unlink()
    with unchanged(publisher):
        outcome = repaired(site, publisher)
    assert outcome.code == 20, outcome
    assert outcome.out.startswith("restored ")
    assert repaired(site, publisher, road.full).code == 0
    sound(site, "1.0.0")


@pytest.mark.usefixtures("no_pauses")
def test_a_registry_gives_back_what_was_pushed_to_it(
    road: Road, site: Path, own_registry: RegistryServer, prefix: str
) -> None:
    place = f"http://{own_registry.host}/{prefix}"
    done("-C", site, "registry", "push", place)
    blobs = open_directory(site).history.release("1.0.0").blobs().values()
    lost = next(blob for blob in blobs if "layer" in blob.media_type)
    rewrite(own_registry.blob_file(lost.digest), lambda data: flipped(data, len(data) // 2))
    for path in (site / "packs").iterdir():
        path.unlink()
    outcome = airstore("-C", site, "repair", "--from", place, "-o", "json")
    assert outcome.code == 20, outcome
    document = said(outcome.out)
    # A registry refuses an index of which not every image is there, so it was never pushed.
    refused = [why for why in document["refused"] if "MANIFEST_UNKNOWN" not in why]
    assert [f"blob {lost.digest}: " in why for why in refused] == [True]
    assert len(document["refused"]) == 2
    assert len(document["restored"]) > 20
    assert repaired(site, road.full).out.startswith("restored 2 blobs\n")
    sound(site, "1.0.0")


def other_publisher(road: Road, tmp_path: Path) -> Path:
    """Somebody else's keys, of a product of the same name."""
    other = tmp_path / "other"
    done("init", other, "--product", road.product)
    done("-C", other, "key", "generate", "release")
    return other


@pytest.mark.parametrize("version", [1, 2])
def test_the_signatures_of_earlier_roots_are_missed_and_restored(
    version: int, own_road: Road, tmp_path: Path
) -> None:
    """Later roots name them by content alone, and sites that have one before could not walk over them."""
    rotation, publisher = Rotation.of(own_road), own_road.publisher
    rotation.replace("release", "second")
    rotation.replace("second", "third")
    copy = shutil.copytree(publisher, tmp_path / "copy" / "publisher")
    document = json.loads((publisher / "trust" / "roots" / f"{version}.json").read_text())
    good = document["signatures"][0]["sig"]
    document["signatures"][0]["sig"] = good[:10] + good[10:20].swapcase() + good[20:]
    (publisher / "trust" / "roots" / f"{version}.json").write_bytes(strictjson.dumps(document))
    assert broken(publisher) == {"sites that have an earlier trust root"}
    assert "--from" in repaired(publisher).err
    assert repaired(publisher, copy).out == f"restored {publisher}/trust/roots/{version}.json\n"
    sound(publisher, "1.0.0", "1.1.0")


def test_media_outlive_the_key_that_signed_them(own_road: Road) -> None:
    """As a carrier in a safe does: what it gives is verified by what the store has of it."""
    rotation = Rotation.of(own_road)
    rotation.replace("release", "second")
    rotation.release("1.2.0", "second")
    rotation.imports(own_road.site, rotation.media("1.2.0", "second"))
    pack_of(own_road.site).unlink()
    assert repaired(own_road.site, own_road.full, own_road.full_new).code == 0
    sound(own_road.site, "1.0.0", "1.1.0", "1.2.0")


def test_a_root_that_nothing_here_vouches_for_is_not_believed(road: Road, site: Path, tmp_path: Path) -> None:
    stranger = other_publisher(road, tmp_path)
    done("-C", site, "release", "list")
    for vouched in (True, False):
        damage(site, "trust/root.json", 0.5)
        assert repaired(site, stranger).code == 20
        if vouched:  # by what this store wrote down when it last verified
            assert repaired(site, stranger, road.publisher).code == 0
            continue
        (site / "verified.json").unlink()
        outcome = repaired(site, stranger, road.publisher)
        assert outcome.code == 20
        assert "--trust" in outcome.err
        assert repaired(site, more=("--trust", stranger / "trust" / "root.json")).code == 30
        assert repaired(site, more=("--trust", road.root)).code == 0
    sound(site, "1.0.0")
