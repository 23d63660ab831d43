"""Remotes that refuse, lie or lose."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.core.image.digest import Digest
from airstore.registry.client.retry import Retry
from tests.support.product.road_parts import (
    airstore,
    done,
    flipped,
    pack_of,
    refused,
    rewrite,
    unchanged,
)
from tests.support.product.sharing import Shared, git, release, share
from tests.support.product.tiny_product import Tiny, make_tiny
from tests.support.registry.servers import PASSWORD, USER, RegistryServer, free_port, registry_server
from tests.support.tools.git_http import git_http

pytestmark = pytest.mark.slow

SECRET = "sesame"  # what must never be shown


def blob_of(server: RegistryServer, name: str) -> Path:
    return server.root / f"docker/registry/v2/blobs/sha256/{name[:2]}/{name}/data"


def test_an_empty_repository_is_named(shared: Shared, tmp_path: Path) -> None:
    git("init", "-q", "--bare", tmp_path / "empty.git")
    empty = replace(shared, git=f"file://{tmp_path}/empty.git")
    refused(airstore(*empty.cloning(tmp_path / "new")), 10, "holds no release yet", "push")
    assert not (tmp_path / "new").exists()


def test_no_repository_is_named(shared: Shared, tmp_path: Path) -> None:
    nowhere = replace(shared, git=f"file://{tmp_path}/nowhere.git")
    refused(airstore(*nowhere.cloning(tmp_path / "new")), 10, "nowhere.git", "check the URL")
    assert not (tmp_path / "new").exists()


def test_a_shallow_copy_is_named(shared: Shared, tmp_path: Path) -> None:
    assert release(shared.store, "1.1.0", "more").code == 0
    done("-C", shared.store, "push")
    git("clone", "-q", "--bare", "--depth", "1", shared.git, tmp_path / "shallow.git")
    shallow = replace(shared, git=f"file://{tmp_path}/shallow.git")
    refused(airstore(*shallow.cloning(tmp_path / "new")), 20, "shallow")
    assert not (tmp_path / "new").exists()


def test_a_repository_of_something_else_is_named(shared: Shared, tmp_path: Path) -> None:
    work = tmp_path / "work"
    git("init", "-q", "-b", "main", work)
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    git("-C", work, *who, "commit", "-q", "--allow-empty", "-m", "hello")
    other = replace(shared, git=f"file://{work}")
    outcome = airstore(*other.cloning(tmp_path / "new"))
    refused(outcome, 21, "knows nothing of commit")
    commit = git("-C", work, "rev-parse", "main").strip()
    listing = done("-C", shared.store, "remote", "list", "-o", "json").json()[0]["objects"]
    copy_tag(listing, shared.commits()[0], commit)
    refused(
        airstore(*other.cloning(tmp_path / "new")), 20, "does not hold a history of releases", "of its own"
    )
    assert not (tmp_path / "new").exists()


def copy_tag(objects: str, old: str, new: str) -> None:
    """Give what lies under one tag another one, as who writes to the registry can."""
    place = f"docker://{objects.removeprefix('oci://')}"
    tls = ("--src-tls-verify=false", "--dest-tls-verify=false")
    subprocess.run(["skopeo", "copy", "-q", *tls, f"{place}:{old}", f"{place}:{new}"], check=True)


def test_another_products_history_and_trust_root_are_refused(shared: Shared, tmp_path: Path) -> None:
    stranger = make_tiny(tmp_path / "stranger")
    assert stranger.create().code == 0
    words = ("remote", "add", "origin", *shared.places)
    done("-C", stranger.store, *words)
    with unchanged(stranger.store):
        refused(airstore("-C", stranger.store, "push"), 31, "has releases that")
        refused(airstore("-C", stranger.store, "pull"), 31, "trust root")
    root = stranger.store / "trust" / "root.json"
    cloning = [str(root) if word == str(shared.root) else word for word in shared.cloning(tmp_path / "new")]
    refused(airstore(*cloning), 31, "trust root")
    assert not (tmp_path / "new").exists()


def test_a_release_that_nobody_trusted_signed_is_refused(shared: Shared, tmp_path: Path) -> None:
    """Somebody with rights on both servers, but without the key."""
    runner = shared.clone("runner")
    thief = make_tiny(tmp_path / "thief")
    for file in ("release", "release.pub"):
        shutil.copy2(thief.store / "keys" / file, runner / "keys" / file)
    stolen = (thief.store / "trust" / "root.json").read_bytes()
    ours = (runner / "trust" / "root.json").read_bytes()
    assert release(runner, "1.1.0", "evil").code == 2
    # The thief's airstore trusts the thief's root; what it cannot do is to make ours follow.
    (runner / "trust" / "root.json").write_bytes(stolen)
    assert release(runner, "1.1.0", "evil").code == 30
    (runner / "trust" / "root.json").write_bytes(ours)
    evil = thief_commit(runner / "history.git")
    git("-C", runner / "history.git", "push", "-q", shared.bare, f"{evil}:refs/heads/main")
    copy_tag(shared.objects, shared.commits()[1], evil)
    with unchanged(shared.store):
        refused(airstore("-C", shared.store, "pull"), 20, "no tag")


def thief_commit(repository: Path) -> str:
    """A commit with the newest release's tree, signed by nobody."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    return git("-C", repository, *who, "commit-tree", "main^{tree}", "-p", "main", "-m", "evil").strip()


def test_a_registry_that_lost_a_pack_gets_it_again_from_who_has_it(
    broken: Shared, own_registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This registry goes on to announce it from its cache, and breaks off."""
    monkeypatch.setattr(Retry, "wait", lambda *_: 0.01)
    clone = broken.clone("runner")
    pack = pack_of(broken.store)
    blob_of(own_registry, pack.stem).unlink()
    with unchanged(clone):
        refused(airstore("-C", clone, "push"), 21, "has lost 1 packs", "airstore push")
        out = broken.base / "out"
        refused(airstore("-C", clone, "media", "create", "--to", "1.0.0", out), 21, "has lost 1 packs")
        assert not out.exists()
    refused(airstore(*broken.cloning(broken.base / "new")), 21, "has lost 1 packs")
    assert done("-C", broken.store, "push", "-o", "json").json()["packs"] == 1
    done("-C", clone, "media", "create", "--to", "1.0.0", broken.base / "out")


def test_a_registry_that_lost_the_list_gets_it_again(broken: Shared, own_registry: RegistryServer) -> None:
    shutil.rmtree(own_registry.root / "docker/registry/v2/repositories/store/_manifests")
    refused(airstore(*broken.cloning(broken.base / "new")), 21, "knows nothing of commit", "airstore push")
    assert done("-C", broken.store, "push", "-o", "json").json()["packs"] == 0
    broken.clone("runner")


def test_a_pack_that_the_registry_changed_is_refused(broken: Shared, own_registry: RegistryServer) -> None:
    data = blob_of(own_registry, pack_of(broken.store).stem)
    rewrite(data, lambda old: flipped(old, len(old) // 3))
    clone = broken.clone("runner")
    with unchanged(clone):
        refused(airstore("-C", clone, "pull", "--whole"), 20, "is not what its name says")
    refused(airstore("-C", clone, "media", "create", "--to", "1.0.0", broken.base / "out"), 20, "pack")
    rewrite(data, lambda old: flipped(old, len(old) // 3))
    rewrite(data, lambda old: flipped(old, len(old) - 60))  # its index
    refused(airstore(*broken.cloning(broken.base / "new")), 20, "damaged")
    assert not (broken.base / "new").exists()
    rewrite(data, lambda old: flipped(old, len(old) - 60))
    root = broken.root.read_bytes()
    name = root.index(b'"keyid"') + 12  # whose signature it is said to be, which nobody else looks at
    rewrite(blob_of(own_registry, Digest.of(root).hex), lambda old: flipped(old, name))
    refused(airstore(*broken.cloning(broken.base / "new")), 20, "has other content")


def test_a_pack_that_is_damaged_here_is_not_pushed(
    tiny: Tiny, registry: RegistryServer, prefix: str, tmp_path: Path
) -> None:
    shared = share(tiny, tmp_path, registry.host, f"{prefix}/store")
    assert tiny.create().code == 0
    rewrite(pack_of(tiny.store), lambda old: flipped(old, 20))
    refused(airstore("-C", tiny.store, "push"), 20, pack_of(tiny.store).name)
    assert git("-C", shared.bare, "for-each-ref") == ""


def test_a_server_whose_hook_declines_is_quoted_and_nothing_moved(shared: Shared) -> None:
    hook = shared.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho only on Mondays >&2\nexit 1\n")
    hook.chmod(0o755)
    assert release(shared.store, "1.1.0", "more").code == 0
    before = shared.commits()
    with unchanged(shared.store):
        refused(airstore("-C", shared.store, "push"), 40, "does not take the push", "only on Mondays")
    assert shared.commits() == before
    assert "1.1.0" not in git("-C", shared.bare, "tag")
    hook.unlink()
    pushed = done("-C", shared.store, "push", "-o", "json").json()
    assert (pushed["releases"], pushed["packs"]) == (1, 0)  # they had arrived


def test_a_tag_that_the_server_has_otherwise_stops_all_of_it(shared: Shared) -> None:
    git("-C", shared.bare, "tag", "1.1.0", "main")
    assert release(shared.store, "1.1.0", "more").code == 0
    before = shared.commits()
    with unchanged(shared.store):
        refused(airstore("-C", shared.store, "push"), 31, "a tag 1.1.0 that is not")
    assert shared.commits() == before


def test_git_over_http_asks_the_users_helper_and_nobody_else(shared: Shared, tmp_path: Path) -> None:
    git("-C", shared.bare, "config", "http.receivepack", "true")
    with git_http(shared.base, ("bob", SECRET)) as url:
        remote = replace(shared, git=f"{url}/history.git")
        outcome = airstore(*remote.cloning(tmp_path / "new"))
        refused(outcome, 40, "log in as git does")
        assert not (tmp_path / "new").exists()
        ask = tmp_path / "ask"
        ask.write_text(f'#!/bin/sh\ncase "$1" in User*) echo bob ;; *) echo {SECRET} ;; esac\n')
        ask.chmod(0o755)
        known = {"GIT_ASKPASS": str(ask)}
        done(*remote.cloning(tmp_path / "new"), env=known)
        shutil.copytree(shared.store / "keys", tmp_path / "new" / "keys", dirs_exist_ok=True)
        assert airstore("-C", tmp_path / "new", "release", "create", "--version", "1.1.0").code in {0, 2, 10}


def test_a_registry_with_tokens_gets_dockers_credentials(
    tiny: Tiny, docker_registry: Path, tmp_path: Path
) -> None:
    assert tiny.create().code == 0
    with registry_server(tmp_path / "registry", tokens=True) as server:
        shared = share(tiny, tmp_path, server.host, "team/store")
        refused(airstore("-C", tiny.store, "push", env={"DOCKER_CONFIG": str(tmp_path)}), 40, "401")
        assert git("-C", shared.bare, "for-each-ref") == ""
        login = {"auths": {server.host: {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        known = {"DOCKER_CONFIG": str(tmp_path)}
        done("-C", tiny.store, "push", env=known)
        done(*shared.cloning(tmp_path / "new"), env=known)


def test_a_server_that_is_not_there_is_named_without_what_gits_configuration_adds(tiny: Tiny) -> None:
    assert tiny.create().code == 0
    place = f"http://127.0.0.1:{free_port()}/"
    words = ("--git", f"{place}shop.git", "--objects", "oci://registry.example/shop")
    done("-C", tiny.store, "remote", "add", "origin", *words)
    # As CI systems put a token into every URL of a host.
    known = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{place.replace('//', f'//bob:{SECRET}@')}.insteadOf",
        "GIT_CONFIG_VALUE_0": place,
    }
    with unchanged(tiny.store):
        outcome = airstore("-C", tiny.store, "push", env=known)
    refused(outcome, 40, "asking what it has", "check host, port and network")
    assert SECRET not in outcome.err
