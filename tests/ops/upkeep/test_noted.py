"""What nothing else in a store names by content: it is noted, so that its loss and its change are."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError
from airstore.ops.apply.session.handover import Moved, mark, refuse_marked, unmark
from airstore.ops.registry.incluster.shared import RegistryAccess, keep_access
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.noted import FILE, noting, read_noted
from tests.support.product.repairs import broken, repaired
from tests.support.product.road_parts import Road, airstore, done, overwrite, refused, rewrite

pytestmark = pytest.mark.slow

_MOVED = Moved("https://192.0.2.1:6443", "shop", "applier")
_ACCESS = RegistryAccess("shop", "registry.acme.example", "shop", "", "s3cret-pull", "s3cret-push", "a CA")


def _another(road: Road) -> bytes:
    """A public key that is one, and not what anybody has named."""
    return (road.new_site / "keys" / "site.pub").read_bytes()


def _token(road: Road, comment: str = "token") -> Path:
    """A public key whose private half no file has, as `ssh-keygen -D` writes one, and in a root's draft."""
    key = road.base / "token"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key], check=True)
    place = road.publisher / "keys" / "token.pub"
    shutil.move(key.with_suffix(".pub"), place)
    done("-C", road.publisher, "trust", "root", "add-key", "token")
    return place


@pytest.mark.parametrize("damage", ["gone", "another", "none"])
def test_a_public_key_whose_private_half_lies_elsewhere_is_named_and_restored(
    own_road: Road, damage: str
) -> None:
    file = _token(own_road)
    good = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        overwrite(file, _another(own_road) if damage == "another" else b"ssh-ed25519 AAAA none\n")
    assert broken(own_road.publisher) == {"key token"}
    assert repaired(own_road.publisher).code == 0
    assert file.read_bytes() == good
    done("-C", own_road.publisher, "check")


def test_the_root_key_that_was_taken_away_has_left_its_public_half(own_road: Road) -> None:
    """As the guide has it: `keys/root` goes to a safe place, `keys/root.pub` stays."""
    keys = own_road.publisher / "keys"
    (keys / "root").unlink()
    done("-C", own_road.publisher, "check")
    overwrite(keys / "root.pub", _another(own_road))
    assert broken(own_road.publisher) == {"key root"}
    assert repaired(own_road.publisher).code == 0


def test_the_comment_of_a_key_says_where_it_signs(own_road: Road) -> None:
    file = _token(own_road, "hv:release/2")
    rewrite(file, lambda data: data.replace(b"release/2", b"release/3"))
    assert broken(own_road.publisher) == {"key token"}
    assert repaired(own_road.publisher).code == 0
    assert b"hv:release/2" in file.read_bytes()


def test_a_key_that_is_named_anew_is_the_one_that_is_meant(own_road: Road) -> None:
    file = _token(own_road)
    overwrite(file, _another(own_road))
    done("-C", own_road.publisher, "trust", "root", "create", "--replace")
    done("-C", own_road.publisher, "trust", "root", "add-key", "token")
    done("-C", own_road.publisher, "check")


def test_a_private_key_says_what_its_public_half_is_behind_a_passphrase_too(
    own_road: Road, tmp_path: Path
) -> None:
    (tmp_path / "phrase").write_text("a long phrase\n")
    publisher = own_road.publisher
    done("-C", publisher, "key", "generate", "locked", "--passphrase-file", tmp_path / "phrase")
    file = publisher / "keys" / "locked.pub"
    good = file.read_bytes()
    (publisher / FILE).unlink()  # as in a store of before there was one
    overwrite(file, _another(own_road))
    assert broken(publisher) == {"key locked"}
    overwrite(file, good)
    done("-C", publisher, "check")


def test_what_was_noted_never_replaces_the_key_of_a_private_one_beside_it(own_road: Road) -> None:
    publisher = own_road.publisher
    file, store = publisher / "keys" / "release.pub", open_directory(publisher)
    good = file.read_bytes()
    with noting(store, file):
        overwrite(file, _another(own_road))
    assert repaired(publisher).code == 20
    assert file.read_bytes().split()[:2] == good.split()[:2]
    assert broken(publisher) == {"key release"}


def test_a_site_that_is_gone_is_named_and_registered_again(own_road: Road) -> None:
    publisher, file = own_road.publisher, own_road.publisher / "sites" / "acme.pub"
    done("-C", publisher, "site", "add", "acme", own_road.site / "keys" / "site.pub")
    shutil.rmtree(file.parent)
    assert broken(publisher) == {"site acme"}
    assert repaired(publisher).code == 0
    done("-C", publisher, "check")
    assert [row["name"] for row in done("-C", publisher, "site", "list", "-o", "json").json()] == ["acme"]
    done("-C", publisher, "site", "remove", "acme")
    done("-C", publisher, "check")


@pytest.mark.parametrize("gone", [True, False])
def test_a_receipt_of_a_site_is_named(own_road: Road, tmp_path: Path, gone: bool) -> None:
    """What sites hold stays through `gc`, by their receipts."""
    publisher, receipt = ("-C", own_road.publisher), tmp_path / "receipt.json"
    done(*publisher, "site", "add", "acme", own_road.site / "keys" / "site.pub")
    done("-C", own_road.site, "receipt", "-o", receipt)
    done(*publisher, "fleet", receipt)
    done(*publisher, "check")
    kept = own_road.publisher / "sites" / "acme.receipt.json"
    if gone:
        kept.unlink()
    else:
        rewrite(kept, lambda data: data.replace(b'"sig": "', b'"sig": "A'))
    assert broken(own_road.publisher) == {"receipt of acme"}
    assert "a newer receipt of that site" in repaired(own_road.publisher).err
    done(*publisher, "fleet", receipt)
    done(*publisher, "check")


@pytest.mark.parametrize("gone", [True, False])
def test_where_a_store_is_shared_is_named(own_road: Road, gone: bool) -> None:
    publisher, remote = ("-C", own_road.publisher), ("--git", "file:///srv/shop.git")
    done(*publisher, "remote", "add", "origin", *remote, "--objects", "oci://registry.example.com/shop")
    done(*publisher, "check")
    file = own_road.publisher / "remotes.json"
    if gone:
        file.unlink()
    else:
        rewrite(file, lambda data: data.replace(b"srv/shop", b"srv/chop"))
    assert broken(own_road.publisher) == {"where this store is shared"}
    assert "airstore remote add" in repaired(own_road.publisher).err


def test_the_passwords_of_a_registry_are_named(own_road: Road) -> None:
    store = open_directory(own_road.site)
    keep_access(store, _ACCESS)
    done("-C", own_road.site, "check")
    file = own_road.site / "registry" / "shared.json"
    rewrite(file, lambda data: data.replace(b"s3cret-pull", b"s3cret-poll"))
    assert broken(own_road.site) == {"registry shared.json"}
    assert "registry share" in repaired(own_road.site).err
    file.unlink()
    assert broken(own_road.site) == {"registry shared.json"}
    keep_access(store, _ACCESS)
    done("-C", own_road.site, "check")
    shutil.rmtree(file.parent)  # a registry that the site has no more
    done("-C", own_road.site, "check")


def test_which_applier_has_the_store_is_named(own_road: Road) -> None:
    store = open_directory(own_road.site)
    mark(store, _MOVED, 0, arrived=True)
    done("-C", own_road.site, "check")
    good = store.layout.applier.read_bytes()
    rewrite(store.layout.applier, lambda data: data.replace(b"192.0.2.1", b"192.0.2.9"))
    assert broken(own_road.site) == {"which applier has this store"}
    with pytest.raises(DamagedError):
        refuse_marked(store, "apply")
    (own_road.site / FILE).unlink()  # its own digest says so, too
    assert broken(own_road.site) == {"which applier has this store"}
    assert "that one counts" in repaired(own_road.site).err
    unmark(store)
    mark(store, _MOVED, 0, arrived=True)
    store.layout.applier.unlink()
    assert broken(own_road.site) == {"which applier has this store"}
    older = {key: value for key, value in json.loads(good).items() if key != "check"}
    unmark(store)
    store.layout.applier.write_text(json.dumps(older))
    done("-C", own_road.site, "check")


def test_a_list_that_does_not_read_is_made_again(own_road: Road) -> None:
    publisher = own_road.publisher
    done("-C", publisher, "site", "add", "acme", own_road.site / "keys" / "site.pub")
    before = dict(read_noted(open_directory(publisher)))
    assert {"keys/release.pub", "keys/root.pub", "sites/acme.pub"} <= before.keys()
    rewrite(publisher / FILE, lambda data: data.replace(b"acme", b"acne"))
    assert broken(publisher) == {FILE}
    refused(airstore("-C", publisher, "key", "generate", "third"), 20, "airstore repair")
    assert repaired(publisher).code == 0
    after = dict(read_noted(open_directory(publisher)))
    assert after == {**before, **{name: after[name] for name in after if "third" in name}}


def test_one_that_was_killed_while_it_wrote_is_not_named(own_road: Road) -> None:
    store = open_directory(own_road.site)
    keep_access(store, _ACCESS)
    file = own_road.site / "registry" / "shared.json"
    with suppress(KeyboardInterrupt), noting(store, file):
        rewrite(file, lambda data: data.replace(b"s3cret", b"secret"))
        raise KeyboardInterrupt
    done("-C", own_road.site, "check")
