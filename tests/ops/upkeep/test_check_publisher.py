"""What only a publisher has besides releases: damage in it is named, with what to do."""

from __future__ import annotations

import base64

import pytest

from airstore.core.errors import DamagedError
from airstore.core.parsing import strictjson
from airstore.ops.media.receipts import list_sites
from airstore.ops.stores.directory import open_directory
from tests.support.product.repairs import broken, repaired
from tests.support.product.road_parts import Road, done, overwrite, rewrite

pytestmark = pytest.mark.slow


def test_a_changed_letter_in_the_key_of_a_site_is_named(own_road: Road) -> None:
    """The letters are the key: most others in their place are a key as well."""
    publisher, file = own_road.publisher, own_road.publisher / "sites" / "acme.pub"
    done("-C", publisher, "site", "add", "acme", own_road.site / "keys" / "site.pub")
    good = file.read_bytes()
    letter = b"B" if good[50:51] == b"A" else b"A"  # of base64 as well, which a flipped bit may not be
    overwrite(file, good[:50] + letter + good[51:])
    assert broken(publisher) == {"site acme"}
    with pytest.raises(DamagedError, match="not the key that its fingerprint says"):
        list_sites(open_directory(publisher))
    (publisher / "noted.json").unlink()  # as in stores of before there was one
    assert broken(publisher) == {"site acme"}
    assert "airstore site remove" in repaired(publisher).err
    overwrite(file, b" ".join(good.split()[:3]) + b"\n")  # as it was written before that
    done("-C", publisher, "check")


def test_a_changed_letter_in_a_draft_is_named_before_anybody_signs_it(own_road: Road) -> None:
    """It is a draft still: nobody's signature says that it was another one. Signing it is no change."""
    publisher, draft = own_road.publisher, own_road.publisher / "trust" / "next.json"
    done("-C", publisher, "key", "generate", "second")
    done("-C", publisher, "trust", "root", "add-key", "second")
    good = draft.read_bytes()
    payload = strictjson.load_object(good, "")["payload"]
    other = base64.b64encode(base64.b64decode(payload).replace(b'"second"', b'"sekond"')).decode()
    overwrite(draft, good.replace(payload.encode(), other.encode()))
    assert broken(publisher) == {"the draft of the next trust root"}
    assert "trust root create --replace" in repaired(publisher).err
    overwrite(draft, good)
    done("-C", publisher, "key", "generate", "third")
    done("-C", publisher, "trust", "root", "sign", draft, "--key-file", publisher / "keys" / "root")
    done("-C", publisher, "check")
    draft.unlink()
    assert broken(publisher) == {"the draft of the next trust root"}
    done("-C", publisher, "trust", "root", "create", "--expires", "never")
    done("-C", publisher, "check")


def test_a_draft_that_is_none_is_named(own_road: Road) -> None:
    publisher = own_road.publisher
    done("-C", publisher, "key", "generate", "second")
    done("-C", publisher, "trust", "root", "add-key", "second")
    rewrite(publisher / "trust" / "next.json", lambda data: data[:-20])
    assert broken(publisher) == {"the draft of the next trust root"}
    assert "trust root create --replace" in repaired(publisher).err
    done("-C", publisher, "trust", "root", "create", "--replace")
    done("-C", publisher, "check")


def test_a_trust_root_that_is_gone_is_named_where_its_root_key_is_elsewhere(own_road: Road) -> None:
    """Without root and root key a store looks as if it had none yet; releases say that it had."""
    publisher, root = own_road.publisher, own_road.root.read_bytes()
    for name in ("root", "root.pub"):
        (publisher / "keys" / name).unlink(missing_ok=True)
    own_road.root.unlink()
    assert "every release" in broken(publisher)
    assert "--trust root.json" in repaired(publisher).err
    vouched = ("--trust", own_road.site / "trust" / "root.json")
    assert repaired(publisher, more=vouched).code == 0
    assert own_road.root.read_bytes() == root
