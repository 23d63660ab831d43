"""A publisher's history with real signatures: ssh-keygen signs, as in the field."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from airstore.history.exchange.bundle import create_bundle
from airstore.history.repository import History
from tests.history.history_parts import AUTHOR, WHEN, Publish, Run, Sign, release_files


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "release"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "release", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="session")
def sign(key: Path) -> Sign:
    """Ed25519 is deterministic, so each payload is signed by a process only once."""
    known: dict[bytes, str] = {}

    def signer(data: bytes) -> str:
        if data not in known:
            command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(key)]
            known[data] = subprocess.run(command, input=data, check=True, capture_output=True).stdout.decode()
        return known[data]

    return signer


@pytest.fixture(scope="session")
def allowed(key: Path) -> str:
    return f'release@shop.example namespaces="git" {key.with_suffix(".pub").read_text()}'


@pytest.fixture
def git(tmp_path: Path) -> Run:
    """Stock git, with nobody's configuration."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    environment |= {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@x", "GIT_AUTHOR_DATE": "1000000000 +0000"}
    environment |= {
        "GIT_COMMITTER_NAME": "x",
        "GIT_COMMITTER_EMAIL": "x@x",
        "GIT_COMMITTER_DATE": "1000000000 +0000",
    }

    def run(
        *arguments: str | Path, stdin: bytes = b"", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["git", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            env=environment,
            cwd="/",
            check=False,
        )
        text = subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
        )
        assert not check or done.returncode == 0, text
        return text

    return run


@pytest.fixture(scope="session")
def publish(sign: Sign) -> Publish:
    def run(history: History, version: str, extra: Mapping[str, bytes] | None = None) -> str:
        number = len(history.releases()) + 1
        files = {**release_files(number, version), **(extra or {})}
        return history.commit_release(files, version, f"Release {version}", AUTHOR, WHEN + number, sign)

    return run


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, publish: Publish) -> Path:
    """Three releases, 1.0.0, 1.1.0 and 2.0.0, and a bundle of them; made once, tests work on copies."""
    directory = tmp_path_factory.mktemp("published")
    made = History.create(directory / "publisher.git")
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        publish(made, version)
    create_bundle(made, directory / "full.bundle", "2.0.0", None)
    return directory


@pytest.fixture
def history(tmp_path: Path, published: Path) -> History:
    """The publisher's: 1.0.0, 1.1.0, 2.0.0."""
    shutil.copytree(published / "publisher.git", tmp_path / "publisher.git")
    return History(tmp_path / "publisher.git")


@pytest.fixture
def bundle(tmp_path: Path, published: Path) -> Path:
    """The whole history, up to 2.0.0."""
    return Path(shutil.copy(published / "full.bundle", tmp_path / "full.bundle"))


@pytest.fixture
def live(tmp_path: Path) -> History:
    return History.create(tmp_path / "site.git")
