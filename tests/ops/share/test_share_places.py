"""What can name a git repository and a place for packs, and what is refused."""

from __future__ import annotations

import pytest

from tests.support.product.road_parts import (
    airstore,
    done,
    refused,
    unchanged,
)
from tests.support.product.sharing import Shared
from tests.support.product.tiny_product import Tiny

pytestmark = pytest.mark.slow

SECRET = "sesame"  # what must never be shown


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x",
        "ftp://git.example/shop.git",
        "git://git.example/shop.git",
        "/srv/git/shop.git",
        "https://",
        "--upload-pack=touch",
        "-oProxyCommand=x@host:path",
        "https://git.example/with space",
        "https://[::1/shop.git",
        "",
    ],
)
def test_what_is_no_url_of_a_git_repository_is_refused(url: str, tiny: Tiny) -> None:
    with unchanged(tiny.store):
        words = ("remote", "add", "origin", f"--git={url}", "--objects", "oci://registry.example/shop")
        refused(airstore("-C", tiny.store, *words), 2, "not the URL of a git repository", "https://HOST/PATH")


@pytest.mark.parametrize(
    "url", [f"https://bob:{SECRET}@git.example/s.git", f"https://{SECRET}@git.example/s.git"]
)
def test_credentials_in_a_url_are_refused_and_never_shown(url: str, tiny: Tiny) -> None:
    words = ("remote", "add", "origin", "--git", url, "--objects", "oci://registry.example/shop")
    with unchanged(tiny.store):
        outcome = airstore("-C", tiny.store, *words)
    refused(outcome, 2, "credential", "git.example")
    assert SECRET not in outcome.err


@pytest.mark.parametrize(
    "url", ["git@git.example:shop.git", "ssh://git@git.example:2222/shop.git", "https://g/s"]
)
def test_urls_that_people_write_are_kept(url: str, tiny: Tiny) -> None:
    done(
        "-C", tiny.store, "remote", "add", "origin", "--git", url, "--objects", "oci://registry.example/shop"
    )
    assert done("-C", tiny.store, "remote", "list", "-o", "json").json()[0]["git"] == url
    again = ("remote", "add", "origin", "--git", url, "--objects", "oci://registry.example/shop")
    refused(airstore("-C", tiny.store, *again), 2, "already", "remote remove origin")
    refused(airstore("-C", tiny.store, "push", "elsewhere"), 10, "no remote 'elsewhere'", "origin")


@pytest.mark.parametrize(
    "place",
    ["registry.example/shop", "docker://r.example/shop", f"oci://u:{SECRET}@r.example/shop", "oci://r.example/Shop",
     "oci://r.example/shop:tag", "oci://r.example", "oci://"],
)  # fmt: skip
def test_what_is_no_place_for_packs_is_refused(place: str, tiny: Tiny) -> None:
    words = ("remote", "add", "origin", "--git", "https://git.example/s.git", "--objects", place)
    with unchanged(tiny.store):
        outcome = airstore("-C", tiny.store, *words)
    refused(outcome, 2, "not a place for packs", "oci://HOST")
    assert SECRET not in outcome.err


def test_a_remote_file_that_was_edited_into_nonsense_is_named(shared: Shared) -> None:
    (shared.store / "remotes.json").write_text('{"remotes": {}}')
    refused(airstore("-C", shared.store, "push"), 20, "remotes.json")
