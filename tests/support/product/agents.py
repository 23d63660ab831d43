"""A real ssh-agent, and a publisher whose release key only it can use."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.product.road_parts import Road, done, sound


@contextmanager
def ssh_agent(**environment: str) -> Iterator[Path]:
    """Its socket; nobody answers its questions with yes."""
    with TemporaryDirectory(prefix="agent-") as directory:  # a socket's name must be short
        path = Path(directory) / "s"
        command = ["ssh-agent", "-D", "-a", str(path)]
        variables = {**os.environ, "SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force", **environment}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=variables) as running:
            try:
                deadline = time.monotonic() + 20
                while not path.exists() and time.monotonic() < deadline:
                    time.sleep(0.02)
                yield path
            finally:
                running.terminate()


def add(agent: Path, *words: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """``ssh-add``."""
    variables = {**os.environ, "SSH_AUTH_SOCK": str(agent), **(environment or {})}
    subprocess.run(["ssh-add", *words], env=variables, check=True, capture_output=True)


def taken(key: Path, to: Path) -> Path:
    """Nothing but the public half stays."""
    return Path(shutil.move(key, to))


def released_by(road: Road, agent: Path, name: str, directory: Path) -> str:
    """Have the key ``NAME.pub``, whose private half the agent can use, sign releases from now on.

    Returns:
        What `signer_of` says at the site.
    """
    publisher, keys = ("-C", road.publisher), road.publisher / "keys"
    done(*publisher, "trust", "root", "create", "--release-key", name)
    done(*publisher, "trust", "root", "remove-key", "release", "--role", "release")
    done(*publisher, "trust", "root", "sign", "--key-file", keys / "root")
    environment = {"SSH_AUTH_SOCK": str(agent)}
    done(*publisher, "release", "create", "--version", "1.2.0", env=environment)
    done(*publisher, "media", "create", "--to", "1.2.0", directory / "m", env=environment)
    done("-C", road.site, "media", "import", directory / "m")
    sound(road.site, "1.0.0", "1.1.0", "1.2.0")
    return signer_of(road.site)


def signer_of(store: Path) -> str:
    """What git says of the newest commit: whether its signature is good, and whose it is."""
    shown = subprocess.run(
        ["git", "-C", str(store / "history.git"), "log", "-1", "--format=%G? %GS", "main"],
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.strip()
