"""``-v`` says what is at work and how long it took; without it nothing is said, and a secret never."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from airstore.core.work import LOGGER, at_work
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases import trusted
from airstore.ops.stores.verify import verify_release
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import TrustRoot
from airstore.trust.ssh.keys import PrivateKey
from tests.support.product.road_parts import Road, done, write_site_file
from tests.support.registry.servers import RegistryServer

_TIMES = r": \d+\.\d\d s\n"


@pytest.fixture
def ready(site: Path) -> Path:
    """A site with everything the product binds."""
    write_site_file(site)
    return site


def test_an_import_names_files_programs_and_blobs(road: Road, site: Path) -> None:
    said = done("-v", "-C", site, "media", "import", road.delta).err
    for what in (r"copy \S+/history\.bundle", r"git \S+ \(.+\)", r"rebuild blob sha256:[0-9a-f]{64}"):
        assert len(_lines(said, rf"{what} \.\.\.")) == len(_lines(said, what + _TIMES[:-2])) > 0, said
    assert LOGGER.level == logging.NOTSET
    assert not LOGGER.handlers


def test_a_push_names_its_requests(site: Path, registry: RegistryServer) -> None:
    words = ("-C", site, "registry", "push", f"http://{registry.host}")
    said = done("--log-format", "json", "-v", *words).err
    records = [json.loads(line) for line in said.splitlines()]
    detail = [each["message"] for each in records if each["level"] == "debug"]
    assert any(each.startswith(f"PUT {registry.host}/") and each.endswith(" s") for each in detail), detail
    assert any(each["level"] == "info" for each in records)


def test_without_it_none_of_that_is_said_and_a_plan_names_helm(ready: Path) -> None:
    assert " ...\n" not in done("-C", ready, "plan", "--no-diff").err
    said = done("-C", ready, "-v", "plan", "--no-diff").err
    assert _lines(said, r"helm template \(.+\)" + _TIMES[:-2]), said
    assert "hunter2" not in said


def test_what_fails_is_said_with_its_time(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        with at_work("copy %s", "x"):
            raise OSError("broken")

    with caplog.at_level(logging.DEBUG, LOGGER.name), pytest.raises(OSError, match="broken"):
        fail()
    assert [record.getMessage().partition(" after ")[0] for record in caplog.records] == [
        "copy x ...",
        "copy x: failed",
    ]


def test_a_command_verifies_each_release_once(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plan` asks for its release several times: to render it, to compare it with a registry."""
    commits = list[str]()

    def counted(history: object, commit: str, role: object) -> object:
        commits.append(commit)
        return verify_release(history, commit, role)  # type: ignore[arg-type]

    monkeypatch.setattr(trusted, "verify_release", counted)
    done("-C", ready, "plan", "--compare", "1.0.0")
    assert len(commits) == len(set(commits)) == 1
    done("-C", ready, "plan")
    assert len(commits) == 2, "the next command verifies it again"


def test_another_root_has_a_release_verified_again(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_directory(site)
    found = trusted.verified(store)
    assert trusted.verified(store) is found
    key = PrivateKey.generate()
    roles = {"root": (["k"], 1), "release": (["k"], 1)}
    another = RootChain((TrustRoot.create("shop", {"k": key.public}, roles),))
    store.verified[found.commit] = (another, found)
    assert trusted.verified(store) is not found


def _lines(said: str, pattern: str) -> list[str]:
    return [line for line in said.splitlines() if re.fullmatch(pattern, line)]
