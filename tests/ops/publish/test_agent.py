"""Keys that are in no file: a real ssh-agent signs releases, media and roots; a lying one signs nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from airstore.trust.ssh.agent import AgentKey
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.wire import put_string
from tests.support.product.agents import add, released_by, signer_of, ssh_agent, taken
from tests.support.product.road_parts import Road, airstore, done, refused, sound, unchanged

pytestmark = pytest.mark.slow


@pytest.fixture
def agent() -> Iterator[Path]:
    with ssh_agent() as path:
        yield path


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
    assert signer_of(own_road.site) == "G release"


def test_keys_of_the_other_kind_sign_in_an_agent_and_in_a_file(
    own_road: Road, agent: Path, tmp_path: Path
) -> None:
    keys = own_road.publisher / "keys"
    done("-C", own_road.publisher, "key", "generate", "dora", "--type", "ecdsa-p256")
    assert (keys / "dora.pub").read_text().startswith("ecdsa-sha2-nistp256 ")
    key = taken(keys / "dora", tmp_path / "dora")
    add(agent, key)
    assert released_by(own_road, agent, "dora", tmp_path) == "G dora"
    words = ("media", "create", "--to", "1.2.0", "--from", "1.1.0", "--key", "dora", tmp_path / "delta")
    with unchanged(own_road.publisher):
        refused(airstore("-C", own_road.publisher, *words), 10, "no ssh-agent to ask")
    taken(key, keys / "dora")
    done("-C", own_road.publisher, *words)


def test_of_several_keys_in_an_agent_the_one_that_is_named_signs(agent: Path, tmp_path: Path) -> None:
    """Whatever their order, in the agent or by their ids."""
    keys = [PrivateKey.generate() for _ in range(4)]
    for number, key in enumerate(keys):
        key.save(tmp_path / str(number))
        add(agent, tmp_path / str(number))
    for key in keys:
        assert key.public.verifies(AgentKey.find(key.public, agent).sign(b"data"), b"data")


def test_without_an_agent_or_without_the_key_in_it_nothing_is_signed(
    own_road: Road, agent: Path, tmp_path: Path
) -> None:
    words = ("-C", own_road.publisher, "media", "create", "--to", "1.0.0", tmp_path / "m")
    key = taken(own_road.publisher / "keys" / "release", tmp_path / "release")
    with unchanged(own_road.publisher):
        refused(airstore(*words, env={"SSH_AUTH_SOCK": ""}), 10, "no ssh-agent to ask", "ssh-add")
        refused(airstore(*words, env={"SSH_AUTH_SOCK": str(tmp_path / "none")}), 10, "does not answer")
        refused(airstore(*words, env={"SSH_AUTH_SOCK": str(agent)}), 10, "does not hold SHA256:", "ssh-add")
        add(agent, "-c", key)
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
        ((put_string(held), put_string(short)), 20, "cut short"),
        ((b"HTTP/1.1 400",), 20, "no ssh-agent"),
        ((b"\0\0",), 20, "cut short"),
        ((put_string(bytes([12]) + b"\xff" * 4),), 20, "cut short"),
        ((put_string(bytes([5])),), 10, "does not hold"),
    ):
        with TemporaryDirectory(prefix="agent-") as directory, lying(Path(directory) / "s", *answers):
            outcome = airstore(*words, env={"SSH_AUTH_SOCK": f"{directory}/s"})
        refused(outcome, code, word)
    assert not (tmp_path / "m").exists()
