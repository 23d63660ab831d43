"""docs/ci: the shell steps of both files, run as runners run them, against a registry and git over HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.product.road_parts import done, environment, sound
from tests.support.product.sharing import git, versions
from tests.support.product.tiny_product import Tiny, make_layout
from tests.support.registry.servers import PASSWORD, USER, RegistryServer, registry_server
from tests.support.tools.git_http import git_http

pytestmark = pytest.mark.slow

CI = Path(__file__).parents[2] / "docs" / "ci"
GIT_LOGIN = ("runner", "git token")


@dataclass(frozen=True)
class World:
    """Servers that ask for passwords, and the machine that shared the store first.

    Attributes:
        known: the environment in which that machine reaches them.
    """

    base: Path
    tiny: Tiny
    registry: RegistryServer
    git_url: str
    known: Mapping[str, str]

    @property
    def places(self) -> dict[str, str]:
        """What the files say of example.com, here."""
        host = self.registry.host
        objects, media = f"oci://{host}/shop/store", f"oci://{host}/shop/media"
        return {"GIT_URL": self.git_url, "REGISTRY": host, "OBJECTS": objects, "MEDIA": media}

    @property
    def secrets(self) -> dict[str, str]:
        """Of the project."""
        key = (self.tiny.store / "keys" / "release").read_text()
        return {"GIT_LOGIN": ":".join(GIT_LOGIN), "REGISTRY_LOGIN": f"{USER}:{PASSWORD}", "RELEASE_KEY": key}

    def checkout(self, name: str, text: str) -> Path:
        """What a runner finds: the product, root.json and release.pub."""
        work = self.base / name / "work"
        shutil.copytree(self.tiny.base, work, ignore=shutil.ignore_patterns("store"))
        shutil.copy2(self.tiny.store / "trust" / "root.json", work)
        shutil.copy2(self.tiny.store / "keys" / "release.pub", work)
        make_layout(work / "images", text=text)
        return work

    def run(self, work: Path, script: str, variables: Mapping[str, str]) -> None:
        """One shell of a runner, whose home is its own."""
        own = {"HOME": str(work.parent), "PATH": f"{self.base / 'bin'}:{os.environ['PATH']}"}
        trust = {"SSL_CERT_FILE": str(self.registry.ca)}
        seen = {**os.environ, **environment(), **own, **trust, **variables}
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        ended = subprocess.run(shell, cwd=work, env=seen, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, (script, ended.stdout, ended.stderr)
        for secret in (PASSWORD, GIT_LOGIN[1], "PRIVATE KEY"):
            assert secret not in ended.stdout + ended.stderr


@pytest.fixture
def world(tiny: Tiny, docker_registry: Path, tmp_path: Path) -> Iterator[World]:
    bare = tmp_path / "git" / "history.git"
    git("init", "-q", "--bare", "-b", "main", bare)
    git("-C", bare, "config", "http.receivepack", "true")
    program = tmp_path / "bin" / "airstore"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m airstore "$@"\n')
    program.chmod(0o755)
    with (
        registry_server(tmp_path / "registry", htpasswd=True, tls=True) as registry,
        git_http(tmp_path / "git", GIT_LOGIN) as url,
    ):
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": login}}}))
        known = {"DOCKER_CONFIG": str(tmp_path)}
        made = World(tmp_path, tiny, registry, f"{url}/history.git", known)
        assert tiny.create().code == 0
        places = ("--git", f"file://{bare}", "--objects", made.places["OBJECTS"], "--ca", str(registry.ca))
        done("-C", tiny.store, "remote", "add", "origin", *places)
        done("-C", tiny.store, "push", env=known)
        yield made


def github(world: World, work: Path, tag: str) -> None:
    """Each step in a shell of its own; ``${{ secrets.NAME }}`` is put in by the server."""
    job = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]["release"]
    assert job["env"].keys() == world.places.keys()
    for step in job["steps"]:
        if "run" in step:
            named = {name: _filled(text, world.secrets) for name, text in step.get("env", {}).items()}
            world.run(work, step["run"], {**world.places, "GITHUB_REF_NAME": tag, **named})


def _filled(text: str, secrets: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ secrets\.(\w+) \}\}", lambda found: secrets[found[1]], text)


def gitlab(world: World, work: Path, tag: str) -> None:
    """All of ``script`` in one shell, ``after_script`` in another; RELEASE_KEY is a file."""
    job: dict[str, Any] = yaml.safe_load((CI / "gitlab-ci.yml").read_text())["release"]
    assert job["variables"].keys() == world.places.keys()
    key = work.parent / "key"
    key.write_text(world.secrets["RELEASE_KEY"])
    secrets = {**world.secrets, "RELEASE_KEY": str(key)}
    for part in ("script", "after_script"):
        world.run(work, "\n".join(job[part]), {**world.places, **secrets, "CI_COMMIT_TAG": tag})


def test_both_make_releases_that_a_site_imports(world: World) -> None:
    first, second = world.checkout("github", "of github"), world.checkout("gitlab", "of gitlab")
    github(world, first, "v1.1.0")
    gitlab(world, second, "v1.2.0")
    for work in (first, second):
        assert not (work / "store" / "keys").exists()
        assert not (work.parent / ".docker" / "config.json").exists()
    done("-C", world.tiny.store, "pull", env=world.known)
    assert versions(world.tiny.store) == ["1.0.0", "1.1.0", "1.2.0"]
    site = world.base / "site"
    done("init", site, "--site", "acme", "--trust", world.tiny.store / "trust" / "root.json")
    address = f"{world.places['MEDIA']}:1.2.0"
    done("-C", site, "media", "import", address, "--ca", str(world.registry.ca), env=world.known)
    sound(site, "1.0.0", "1.1.0", "1.2.0")


def test_who_was_slower_makes_its_release_again(world: World) -> None:
    """Between clone and push of a runner somebody else has pushed."""
    work = world.checkout("github", "of github")
    job = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]["release"]
    for step in job["steps"]:
        if "until" in step.get("run", ""):
            make_layout(world.tiny.layout, text="faster")
            assert world.tiny.create("1.0.1").code == 0
            done("-C", world.tiny.store, "push", env=world.known)
        if "run" in step:
            named = {name: _filled(text, world.secrets) for name, text in step.get("env", {}).items()}
            world.run(work, step["run"], {**world.places, "GITHUB_REF_NAME": "v1.1.0", **named})
    done("-C", world.tiny.store, "pull", env=world.known)
    assert versions(world.tiny.store) == ["1.0.0", "1.0.1", "1.1.0"]
