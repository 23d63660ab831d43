"""Commands in processes of their own, to be killed, and what they have started."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.kubernetes.apply_parts import Landscape
from tests.support.product.e2e_road import Store
from tests.support.product.e2e_world import command


def wait_for(happened: Callable[[], object], seconds: float = 60) -> None:
    """Ask until it has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def begin(shop: Landscape, *words: str, store: Store | None = None) -> subprocess.Popen[str]:
    """A command; what it says is in ``said.log``."""
    argv = command(store or shop.site, *words, "--kubeconfig", shop.api.kubeconfig)
    with (shop.directory / "said.log").open("w") as log:
        return subprocess.Popen(argv, env=shop.environment, stdout=subprocess.DEVNULL, stderr=log, text=True)


def said(shop: Landscape) -> str:
    """By the command that `begin` began last."""
    return (shop.directory / "said.log").read_text()


def helm_of(shop: Landscape, *words: str) -> int | None:
    """Process of the Helm that a landscape's command runs with these arguments; None if there is none now."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            argv = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue  # it has just ended
        own = f"--kubeconfig={shop.api.kubeconfig}" in argv and f"--namespace={shop.namespace}" in argv
        if own and argv[0] == str(shop.site.airstore.helm) and {*words} <= {*argv}:
            return int(process.name)
    return None
