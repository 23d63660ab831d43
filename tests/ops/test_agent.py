"""Keys that are in no file: a real ssh-agent signs releases, media and roots; a lying one signs nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from airstore.trust.keys import PrivateKey
from airstore.trust.wire import put_string
from tests.support.product.road_parts import Road, airstore, done, refused, sound, unchanged


@pytest.fixture
def agent() -> Iterator[Path]:
    """A real one, whose questions nobody answers with yes."""
    with TemporaryDirectory(prefix="agent-") as directory:  # a socket's name must be short
        path = Path(directory) / "s"
        command = ["ssh-agent", "-D", "-a", str(path)]
        environment = {**os.environ, "SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force"}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as running:
            try:
                deadline = time.monotonic() + 20
                while not path.exists() and time.monotonic() < deadline:
                    time.sleep(0.02)
                yield path
            finally:
                running.terminate()


def add(agent: Path, key: Path, *options: str) -> None:
    environment = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    subprocess.run(["ssh-add", *options, str(key)], env=environment, check=True, capture_output=True)


def taken(key: Path, to: Path) -> Path:
    """Nothing but the public half stays."""
    return Path(shutil.move(key, to))


def test_an_agent_signs_releases_media_and_roots(own_road: Road, agent: Path, tmp_path: Path) -> None:
    publisher, keys = ("-C", own_road.publisher), own_road.publisher / "keys"
    for name in ("release", "root"):
        add(agent, taken(keys / name, tmp_path / name))
    with_agent = {"SSH_AUTH_SOCK": str(agent)}
    done(*publisher, "release", "create", "--version", "1.2.0", env=with_agent)
    done(*publisher, "trust", "root", "create", "--expires", "never")
    signing = ("trust", "root", "sign", "--key-file", keys / "root.pub")
    assert "trust root 2 is in force" in done(*publisher, *signing, env=with_agent).err
    done(*publisher, "media", "create", "--to", "1.2.0", tmp_path / "m", env=with_agent)
    done("-C", own_road.site, "media", "import", tmp_path / "m")
    sound(own_road.site, "1.0.0", "1.1.0", "1.2.0")
    shown = subprocess.run(
        ["git", "-C", str(own_road.site / "history.git"), "log", "-1", "--format=%G? %GS", "main"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "G release"


def test_without_an_agent_or_without_the_key_in_it_nothing_is_signed(
    own_road: Road, agent: Path, tmp_path: Path
) -> None:
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.0.0", tmp_path / "m")
    key = taken(own_road.publisher / "keys" / "release", tmp_path / "release")
    with unchanged(own_road.publisher):
        refused(airstore(*words, env={"SSH_AUTH_SOCK": ""}), 10, "no ssh-agent to ask", "ssh-add")
        refused(airstore(*words, env={"SSH_AUTH_SOCK": str(tmp_path / "none")}), 10, "does not answer")
        refused(airstore(*words, env={"SSH_AUTH_SOCK": str(agent)}), 10, "does not hold SHA256:", "ssh-add")
        add(agent, key, "-c")
        refused(airstore(*words, env={"SSH_AUTH_SOCK": str(agent)}), 30, "does not sign with SHA256:")
    assert not (tmp_path / "m").exists()


@contextmanager
def lying(path: Path, *answers: bytes) -> Iterator[None]:
    """Something that answers each connection with the next of these bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            for answer in answers:
                with listening.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(20)


def test_an_agent_that_lies_signs_nothing(own_road: Road, tmp_path: Path) -> None:
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.0.0", tmp_path / "m")
    key = own_road.key
    taken(own_road.publisher / "keys" / "release", tmp_path / "release")
    other = PrivateKey.generate().sign(b"something else")
    held = bytes([12]) + (1).to_bytes(4, "big") + put_string(key.public.wire) + put_string(b"")
    wrong = bytes([14]) + put_string(put_string(b"ssh-ed25519") + put_string(other))
    short = bytes([14]) + put_string(b"xx")
    for answers, code, word in (
        ((put_string(held), put_string(wrong)), 30, "is not by SHA256:"),
        ((put_string(held), put_string(short)), 30, "cut short"),
        ((b"HTTP/1.1 400",), 20, "no ssh-agent"),
        ((b"\0\0",), 20, "cut short"),
        ((put_string(bytes([12]) + b"\xff" * 4),), 20, "cut short"),
        ((put_string(bytes([5])),), 10, "does not hold"),
    ):
        with TemporaryDirectory(prefix="agent-") as directory, lying(Path(directory) / "s", *answers):
            outcome = airstore(*words, env={"SSH_AUTH_SOCK": f"{directory}/s"})
        refused(outcome, code, word)
    assert not (tmp_path / "m").exists()
