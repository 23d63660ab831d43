"""Machines for scripts/sharing: this one, or network namespaces that see its servers and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.product.road_parts import Outcome, environment

_NETWORK = "10.213.0."  # of a private range; nothing else of the machine is routed there
_HERE = "127.0.0.1"


@dataclass(frozen=True)
class Machine:
    """Where commands run.

    Attributes:
        prefix: what has a command run there.
    """

    prefix: tuple[str, ...] = ()

    def begin(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start a command."""
        command = [*self.prefix, sys.executable, "-m", "airstore", *map(str, words)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env={**os.environ, **environment()}, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, *words: str | Path, code: int = 0) -> Outcome:
        """Run a command that has to end with a code."""
        with self.begin(*words) as running:
            out, err = running.communicate(timeout=600)
        if running.returncode != code:
            sys.exit(f"{' '.join(map(str, words))}: exit code {running.returncode}\n{out}{err}")
        return Outcome(code, out, err)


@dataclass(frozen=True)
class Network:
    """What machines are on.

    Attributes:
        address: where servers listen for them.
        machine: makes one more, of a name.
    """

    address: str
    machine: Callable[[str], Machine]


@contextmanager
def network(*, namespaces: bool) -> Iterator[Network]:
    """A network for the length of the block; with namespaces each machine has one, which takes root."""
    if not namespaces:
        yield Network(_HERE, lambda _name: Machine())
        return
    bridge, made = f"as{os.getpid() % 100_000}", list[str]()

    def machine(name: str) -> Machine:
        number, space = len(made) + 2, f"{bridge}-{name}"
        _ip("netns", "add", space)
        made.append(space)
        _ip("link", "add", f"{bridge}p{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", f"{bridge}p{number}", "master", bridge, "up")
        _ip("-n", space, "address", "add", f"{_NETWORK}{number}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            _ip("-n", space, "link", "set", device, "up")
        return Machine(("ip", "netns", "exec", space))

    _ip("link", "add", bridge, "type", "bridge")
    try:
        _ip("address", "add", f"{_NETWORK}1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        yield Network(f"{_NETWORK}1", machine)
    finally:
        for space in made:
            _ip("netns", "delete", space)
        _ip("link", "delete", bridge)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
