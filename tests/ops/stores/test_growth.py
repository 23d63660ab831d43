"""What was verified is remembered for listings: what that proves, and what it must never be taken for."""

from __future__ import annotations

import json
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from airstore.core.image.digest import Digest
from airstore.history.repository import History
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases.summaries import holdings, summaries
from airstore.ops.stores.releases.trusted import all_releases, count_held
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.keys import PrivateKey
from tests.support.product.road_parts import CACHE, Outcome, airstore, done
from tests.support.product.tiny_product import Tiny, make_layout, make_tiny, site_of

VERSIONS = ("1.0.0", "1.1.0", "1.2.0")
SITE_FILE = """\
apiVersion: airstore/v1
kind: Site
registry: {mode: external, host: "127.0.0.1:1"}
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: none
contexts: [{name: none, context: {cluster: none, user: none}}]
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: none, user: {token: none}}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publisher of three releases with a blob of its own each, before anything was listed."""
    tiny = make_tiny(tmp_path_factory.mktemp("growth") / "tiny")
    for version in VERSIONS:
        make_layout(tiny.layout, text=version)
        (tiny.base / "app" / "values.yaml").write_text(f"version: {version}\n")
        assert tiny.create(version).code == 0
    return tiny.base


@pytest.fixture
def tiny(made: Path, tmp_path: Path) -> Tiny:
    """A copy of it that has been listed once."""
    shutil.copytree(made, tmp_path / "tiny")
    tiny = Tiny(tmp_path / "tiny")
    assert listed(tiny.store)
    assert (tiny.store / CACHE).is_file()
    return tiny


def listed(store: Path) -> list[str]:
    return [row["version"] for row in airstore("-C", store, "release", "list", "-o", "json").json()]


def logged(store: Path) -> Outcome:
    return airstore("-C", store, "log", "-o", "json")


def spoil(store: Path, version: str, path: str) -> None:
    """Another content of a file of an old release, under the name that git knows it by."""
    history = History(store / "history.git")
    oid = history.paths(version)[path]
    place = history.path / "objects" / oid[:2] / oid[2:]
    place.chmod(0o644)
    place.write_bytes(zlib.compress(b"blob 4\0evil"))


def test_listings_read_no_tree_twice_and_everything_else_does(tiny: Tiny) -> None:
    spoil(tiny.store, "1.1.0", "charts/app/values.yaml")
    assert listed(tiny.store) == list(VERSIONS), "what is remembered is that it was verified"
    assert [row["version"] for row in logged(tiny.store).json()] == list(reversed(VERSIONS))
    for command in (
        ("release", "verify"),
        ("release", "verify", "1.1.0"),
        ("release", "show", "1.1.0"),
        ("release", "diff", "1.0.0", "1.1.0"),
        ("media", "create", "--to", "1.1.0", tiny.base / "out"),
        ("check",),
    ):
        outcome = airstore("-C", tiny.store, *command)
        assert outcome.code == 20, (command, outcome)
        assert "is damaged" in outcome.out + outcome.err, command
    (tiny.store / CACHE).unlink()
    assert airstore("-C", tiny.store, "release", "list").code == 20, "without it all are verified"


def test_a_site_applies_and_imports_nothing_on_the_strength_of_it(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_of(tiny, "1.2.0")
    assert (site / CACHE).is_file(), "an import remembers what it verified"
    unpack(site / "history.git", tiny.base / "unpacked.pack")
    spoil(site, "1.2.0", "charts/app/values.yaml")
    assert listed(site) == list(VERSIONS)
    (site / "site.yaml").write_text(SITE_FILE)
    kubeconfig = tiny.base / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    for command in (("plan", "--no-diff"), ("registry", "push", "127.0.0.1:1"), ("check",)):
        outcome = airstore("-C", site, *command)
        assert outcome.code == 20, (command, outcome)
        assert "is damaged" in outcome.out + outcome.err, command


def unpack(repository: Path, aside: Path) -> None:
    """Every object of the one pack as a file of its own."""
    pack = next((repository / "objects" / "pack").glob("*.pack"))
    pack.rename(aside)
    for path in list(pack.parent.iterdir()):
        path.unlink()
    with aside.open("rb") as file:
        subprocess.run(["git", f"--git-dir={repository}", "unpack-objects", "-q"], stdin=file, check=True)


def refuse_everything(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced(old: bytes, new: bytes) -> Callable[[Path], None]:
    """A change by somebody who puts the digest right."""

    def change(path: Path) -> None:
        bodies = [line.partition(b" ")[2] for line in path.read_bytes().splitlines()]
        assert any(old in body for body in bodies)
        path.write_bytes(b"".join(chained(body.replace(old, new) for body in bodies)))

    return change


def chained(bodies: Iterable[bytes]) -> Iterator[bytes]:
    """Lines as they are written: each after a digest of the digest before and itself."""
    before = ""
    for body in bodies:
        before = Digest.of(before.encode() + body).hex
        yield before.encode() + b" " + body + b"\n"


def flipped(position: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[int(position * (len(data) - 1))] ^= 1
        path.write_bytes(data)

    return change


def content(data: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_bytes(data)

    return change


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": content(b""),
    "cut": cut,
    **{f"flipped at {place}": flipped(place) for place in (0.0, 0.05, 0.3, 0.6, 1.0)},
    "no JSON": replaced(b'{"key"', b'{"key'),
    "a number": replaced(b'"added":[', b'"added":7,"more":['),
    "no object": replaced(b'{"version"', b'[1]{"version"'),
    "no key": replaced(b'"key"', b'"keys"'),
    "no commit": replaced(b'"commit"', b'"comit"'),
    "no digest": replaced(b'"digest":"sha256:', b'"digest":"sha257:'),
    "another airstore's": replaced(b'"key":"', b'"key":"9.'),
    "deep": content(b"".join(chained([b"[" * 100000]))),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_ignored_and_written_again(tiny: Tiny, damage: Callable[[Path], None]) -> None:
    good = (tiny.store / CACHE).read_bytes()
    before = airstore("-C", tiny.store, "release", "list", "-o", "json").json()
    damage(tiny.store / CACHE)
    outcome = airstore("-C", tiny.store, "release", "list", "-o", "json")
    assert outcome.json() == before
    assert not outcome.err
    assert (tiny.store / CACHE).read_bytes() == good


def test_a_cache_that_cannot_be_written_costs_time_only(tiny: Tiny) -> None:
    refuse_everything(tiny.store / CACHE)
    assert listed(tiny.store) == list(VERSIONS)
    assert (tiny.store / CACHE).is_dir()


@pytest.mark.parametrize(
    "change",
    [
        replaced(b'"author":"', b'"author":"Mallory '),
        replaced(b'"parent":null', b'"parent":"' + b"0" * 40 + b'"'),
    ],
)
def test_what_installs_never_asks_the_cache(tiny: Tiny, change: Callable[[Path], None]) -> None:
    """Whoever can write to a store can forge its listings, and nothing that counts."""
    done("-C", tiny.store, "release", "verify")
    change(tiny.store / CACHE)
    done("-C", tiny.store, "release", "verify")
    done("-C", tiny.store, "check")
    site_of(tiny, "1.2.0")


def test_commits_that_are_said_to_go_round_in_circles_end(tiny: Tiny) -> None:
    tip = str(History(tiny.store / "history.git").tip)
    replaced(b'"parent":null', f'"parent":"{tip}"'.encode())(tiny.store / CACHE)
    outcome = airstore("-C", tiny.store, "release", "list")
    assert outcome.code == 20
    assert "is said to come before itself" in outcome.err


def test_another_trust_root_has_everything_verified_again(tiny: Tiny, tmp_path: Path) -> None:
    other = make_tiny(tmp_path / "other")
    shutil.copy(other.store / "trust" / "root.json", tiny.store / "trust" / "root.json")
    for command in (("release", "list"), ("log",)):
        assert airstore("-C", tiny.store, *command).code == 30, command


def moved(history: History) -> None:
    tags = history.refs.tags()
    history.refs.set("refs/tags/1.0.0", tags["1.1.0"])


def removed(history: History) -> None:
    (history.path / "refs" / "tags" / "1.0.0").unlink()


def added(history: History) -> None:
    commit = history.find("1.0.0").commit
    history.refs.set("refs/tags/7.0.0", history.refs.tags()["1.0.0"])
    assert commit


@pytest.mark.parametrize("change", [moved, removed, added])
def test_tags_are_compared_each_time(tiny: Tiny, change: Callable[[History], None]) -> None:
    change(History(tiny.store / "history.git"))
    assert airstore("-C", tiny.store, "release", "list").code == 20


def test_a_release_that_nobody_signed_is_noticed_beside_remembered_ones(tiny: Tiny) -> None:
    history = History(tiny.store / "history.git")
    stranger, files = PrivateKey.generate(), history.files("1.2.0")
    del files["signatures/release.dsse.json"]
    history.commit_release(
        files, "1.3.0", "forged", ("m", "m@example.com"), 1, lambda data: sshsig.sign(stranger, data, "git")
    )
    for command in (("release", "list"), ("log",)):
        assert airstore("-C", tiny.store, *command).code == 30, command


def test_a_dry_run_remembers_nothing(tiny: Tiny) -> None:
    media, site = tiny.base / "media", tiny.base / "site"
    done("-C", tiny.store, "media", "create", "--to", "1.2.0", media)
    done("init", site, "--site", "acme", "--trust", tiny.store / "trust" / "root.json")
    done("-C", site, "media", "import", "--dry-run", media)
    assert not (site / CACHE).exists()


def test_a_new_release_adds_to_it(tiny: Tiny) -> None:
    make_layout(tiny.layout, text="new")
    assert tiny.create("2.0.0").code == 0
    assert listed(tiny.store) == [*VERSIONS, "2.0.0"]
    assert remembered(tiny.store) == [*VERSIONS, "2.0.0"]


def remembered(store: Path) -> list[str]:
    bodies = [line.partition(b" ")[2] for line in (store / CACHE).read_bytes().splitlines()]
    return [json.loads(body)["version"] for body in bodies[1:]]


def test_what_is_held_is_counted_as_each_release_counts_it(tiny: Tiny) -> None:
    """A site that skipped releases holds some blobs of each."""
    site = site_of(tiny, "1.2.0")
    for path in (tiny.store, site):
        for _again in range(2):
            store = open_directory(path)
            with store.open_blobs() as blobs:
                found = [(each.summary.link.version, each.held) for each in holdings(summaries(store), blobs)]
                truth = [(v.release.version, count_held(blobs, v.release)) for v in all_releases(store)]
            assert found == truth
    assert len({held for _version, held in found}) > 1


@pytest.fixture(autouse=True)
def _writable(tmp_path: Path) -> Iterator[None]:
    yield
    for path in tmp_path.rglob(CACHE):
        if path.is_dir():
            path.rmdir()
