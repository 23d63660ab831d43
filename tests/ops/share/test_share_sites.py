"""Keys of sites that publishers of one store share."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.core.errors import SequenceError
from airstore.core.parsing import strictjson
from airstore.ops.share.branches.register import make_entry, merged, read_register
from airstore.ops.share.branches.sites import own_register, save_register
from airstore.ops.stores.directory import open_directory
from airstore.trust import envelope
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.statement import STATEMENT_TYPE
from tests.support.product.road_parts import airstore, done, refused, unchanged
from tests.support.product.sharing import Shared, git, release

pytestmark = pytest.mark.slow


@pytest.fixture
def acme(shared: Shared) -> Path:
    """A site that has release 1.0.0, and its receipt beside it."""
    site = shared.base / "acme"
    done("init", site, "--site", "acme", "--trust", shared.root)
    done("-C", shared.store, "media", "create", "--to", "1.0.0", shared.base / "media")
    done("-C", site, "media", "import", shared.base / "media")
    done("-C", site, "receipt", "-o", shared.base / "receipt.json")
    return site


def key_of(directory: Path, name: str) -> Path:
    """A file with some site's public key."""
    PrivateKey.generate().public.save(directory / f"{name}.pub", name)
    return directory / f"{name}.pub"


def sites(store: Path) -> dict[str, bool]:
    return {row["name"]: row["signed"] for row in done("-C", store, "site", "list", "-o", "json").json()}


def test_a_clone_reads_receipts_of_sites_that_the_first_publisher_registered(
    shared: Shared, acme: Path
) -> None:
    done("-C", shared.store, "site", "add", "acme", acme / "keys" / "site.pub")
    assert done("-C", shared.store, "push", "-o", "json").json()["sites"] is True
    clone = shared.clone("colleague")
    assert sites(clone) == {"acme": True}
    assert release(clone, "1.1.0", "more").code == 0
    receipt = shared.base / "receipt.json"
    done("-C", clone, "media", "create", "--to", "1.1.0", "--receipt", receipt, shared.base / "delta")
    done("-C", acme, "media", "import", shared.base / "delta")
    assert done("-C", shared.store, "push", "-o", "json").json()["sites"] is False


def test_sites_from_before_the_store_was_shared_are_signed_later(shared: Shared, tmp_path: Path) -> None:
    done("-C", shared.store, "site", "add", "--here", "plant", key_of(tmp_path, "plant"))
    assert sites(shared.store) == {"plant": False}
    pushed = done("-C", shared.store, "push")
    assert "registered here alone: plant" in pushed.err
    assert sites(shared.clone("early")) == {}
    assert "signed: plant" in done("-C", shared.store, "site", "share").err
    done("-C", shared.store, "push")
    assert done("-C", shared.base / "early" / "store", "pull", "-o", "json").json()["sites"] == ["plant"]
    assert sites(shared.base / "early" / "store") == {"plant": True}
    assert "no site is registered here alone" in done("-C", shared.store, "site", "share").err


def test_two_that_register_different_sites_at_once_have_both(shared: Shared, tmp_path: Path) -> None:
    one, two = shared.clone("one"), shared.clone("two")
    done("-C", one, "site", "add", "first", key_of(tmp_path, "first"))
    done("-C", two, "site", "add", "second", key_of(tmp_path, "second"))
    done("-C", one, "push")
    with unchanged(two):
        refused(airstore("-C", two, "push"), 31, "changed keys of sites", "airstore pull")
    done("-C", two, "pull")
    done("-C", two, "push")
    done("-C", one, "pull")
    assert sites(one) == sites(two) == {"first": True, "second": True}


def test_another_key_of_the_same_name_is_refused_until_somebody_gives_way(
    shared: Shared, tmp_path: Path
) -> None:
    one, two = shared.clone("one"), shared.clone("two")
    right, wrong = key_of(tmp_path, "right"), key_of(tmp_path, "wrong")
    done("-C", one, "site", "add", "plant", right)
    done("-C", one, "push")
    done("-C", two, "site", "add", "plant", wrong)
    with unchanged(two):
        refused(airstore("-C", two, "push"), 31, "changed keys of sites")
        refused(airstore("-C", two, "pull"), 31, "'plant' is registered at", "site remove --here plant")
    done("-C", two, "site", "remove", "--here", "plant")
    done("-C", two, "site", "add", "--here", "plant", wrong)
    with unchanged(two):
        refused(airstore("-C", two, "pull"), 31, "'plant' is registered at", "with another key than here")
    done("-C", two, "site", "remove", "--here", "plant")
    done("-C", two, "pull")
    done("-C", two, "push")
    assert (two / "sites" / "plant.pub").read_text().split()[:2] == right.read_text().split()[:2]


def test_a_site_that_was_removed_is_removed_everywhere_and_can_have_another_key(
    shared: Shared, tmp_path: Path
) -> None:
    other = shared.clone("other")
    done("-C", shared.store, "site", "add", "plant", key_of(tmp_path, "old"))
    done("-C", shared.store, "push")
    done("-C", other, "pull")
    refused(airstore("-C", shared.store, "site", "add", "plant", key_of(tmp_path, "new")), 2, "site remove")
    done("-C", shared.store, "site", "remove", "plant")
    refused(airstore("-C", shared.store, "site", "remove", "plant"), 10, "no site 'plant'")
    done("-C", shared.store, "push")
    assert done("-C", other, "pull", "-o", "json").json()["sites"] == ["plant"]
    assert sites(other) == {}
    done("-C", other, "site", "add", "plant", tmp_path / "new.pub")
    done("-C", other, "push")
    done("-C", shared.store, "pull")
    assert sites(shared.store) == {"plant": True}
    assert own_register(open_directory(shared.store))["plant"].serial == 3


def test_an_older_word_and_a_branch_that_is_gone_change_nothing(shared: Shared, tmp_path: Path) -> None:
    """Whoever runs the server can show what was there before, or nothing."""
    done("-C", shared.store, "site", "add", "plant", key_of(tmp_path, "old"))
    done("-C", shared.store, "push")
    old = git("-C", shared.bare, "rev-parse", "sites").strip()
    done("-C", shared.store, "site", "remove", "plant")
    done("-C", shared.store, "push")
    git("-C", shared.bare, "update-ref", "refs/heads/sites", old)
    done("-C", shared.store, "pull")
    assert sites(shared.store) == {}
    done("-C", shared.store, "push")
    assert git("-C", shared.bare, "rev-parse", "sites").strip() != old
    git("-C", shared.bare, "update-ref", "-d", "refs/heads/sites")
    done("-C", shared.store, "pull")
    done("-C", shared.store, "push")
    assert sites(shared.clone("late")) == {}


def test_what_no_release_key_has_signed_does_not_count(shared: Shared, tmp_path: Path) -> None:
    store = open_directory(shared.store)
    stranger, site = PrivateKey.generate(), PrivateKey.generate().public
    forged = make_entry(store.name, "evil", site, None, stranger)
    save_register(store, {"evil": forged})
    assert own_register(store) == {}
    git("-C", shared.store / "history.git", "push", "-q", shared.bare, "sites")
    store.history.drop_branch("sites")
    pulled = done("-C", shared.store, "pull", "-o", "json").json()
    assert pulled["sites"] == []
    (note,) = pulled["notes"]
    assert "site 'evil'" in note
    assert "does not count" in note
    clone = shared.clone("clone")
    assert sites(clone) == {}
    done("-C", clone, "site", "add", "plant", key_of(tmp_path, "plant"))
    done("-C", clone, "push")
    assert "evil.json" not in git("-C", shared.bare, "ls-tree", "sites")


def test_a_branch_that_is_no_register_is_named_and_left(shared: Shared, tmp_path: Path) -> None:
    git("-C", shared.bare, "branch", "sites", "main")
    (note,) = done("-C", shared.store, "pull", "-o", "json").json()["notes"]
    assert "branch sites" in note
    done("-C", shared.store, "push")
    done("-C", shared.store, "site", "add", "plant", key_of(tmp_path, "plant"))
    refused(airstore("-C", shared.store, "push"), 31, "changed keys of sites")


def test_of_what_was_said_of_a_site_the_last_counts() -> None:
    signer, other = PrivateKey.generate(), PrivateKey.generate()
    keys = [PrivateKey.generate().public for _ in range(2)]
    first = make_entry("shop", "a", keys[0], None, signer)
    same = make_entry("shop", "a", keys[0], None, other)
    gone = make_entry("shop", "a", None, first, signer)
    assert merged({"a": first}, {"a": same}, "there") == merged({"a": same}, {"a": first}, "there")
    assert merged({"a": first}, {"a": gone}, "there") == merged({"a": gone}, {"a": first}, "there")
    assert merged({"a": first}, {"a": gone}, "there")["a"].key is None
    with pytest.raises(SequenceError, match="site 'a' is registered at there"):
        merged({"a": first}, {"a": make_entry("shop", "a", keys[1], None, signer)}, "there")


@pytest.mark.parametrize(("file", "product"), [("b.json", "shop"), ("a.json", "bakery")])
def test_an_entry_stands_for_its_own_product_and_site_alone(shared: Shared, file: str, product: str) -> None:
    store = open_directory(shared.store)
    root, signer = store.trust_root(), PrivateKey.load(store.keys / "release")
    product = store.name if product == "shop" else product
    entry = make_entry(product, "a", PrivateKey.generate().public, None, signer)
    found, notes = read_register({file: entry.signed}, root)
    assert not found
    assert "is another one's" in notes[0]
    signed = strictjson.loads(envelope.read(entry.signed, STATEMENT_TYPE, "it").payload, "it")
    signed["subject"][0]["digest"]["sha256"] = "0" * 64
    signed["predicate"]["product"] = store.name
    other = envelope.sign(strictjson.dumps(signed), STATEMENT_TYPE, [signer])
    assert not read_register({"a.json": other}, root)[0]
