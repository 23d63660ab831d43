"""``airstore doctor``: what is installed, what is missing, and what that costs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from airstore.charts.helm.command import Helm
from airstore.cluster.api.transport.client import probe
from airstore.core.errors import AirstoreError
from airstore.core.frozen import frozen
from airstore.process.confinement import files_closed_by, network_taken_by

_OK, _MISSING = "ok", "missing"


@frozen
class DoctorFinding:
    """One thing that was looked for.

    Attributes:
        state: ``ok``, ``missing`` or ``problem``.
        cost: what does not work without it.
        needed: on either side and whatever is done.
    """

    name: str
    state: str
    found: str
    cost: str
    needed: bool = False


def examine(helm: Callable[[], Helm], kubeconfig: Path | None, store: Path) -> Iterator[DoctorFinding]:
    """Look at every program, the cluster and the disk; never fails, that is what it reports."""
    git = _program("git", ["git", "--version"], "no command works: the history is a git repository")
    yield replace(git, needed=True)
    yield _program(
        "ssh-keygen", ["ssh-keygen", "-?"], "auditors cannot check signatures with stock tools; airstore can"
    )
    cost = "release create, images find, plan and apply do not work"
    yield replace(_try("helm", lambda: helm().version()[1], cost), needed=True)
    yield from _confinement()
    yield _program("kubectl", ["kubectl", "version", "--client"], "hook scripts that call it fail")
    yield _try(
        "kubernetes", lambda: _cluster(kubeconfig), "a site's registry bootstrap and apply do not work"
    )
    yield _space(store)


def _program(name: str, argv: list[str], cost: str) -> DoctorFinding:
    path = shutil.which(name)
    if not path:
        return DoctorFinding(name, _MISSING, "", cost)
    done = subprocess.run([path, *argv[1:]], capture_output=True, text=True, timeout=10, check=False)
    version = done.stdout.strip().splitlines()[:1]
    return DoctorFinding(name, _OK, version[0] if version else path, cost)


def _try(name: str, look: Callable[[], str], cost: str) -> DoctorFinding:
    try:
        return DoctorFinding(name, _OK, look(), cost)
    except AirstoreError as fault:
        return DoctorFinding(name, _MISSING, f"{fault}", cost)


def _cluster(kubeconfig: Path | None) -> str:
    info = probe(kubeconfig)
    return f"{info.version} at {info.server}"


def _confinement() -> Iterator[DoctorFinding]:
    cost = "a chart that makes Helm fetch something while it is rendered is not stopped by the kernel"
    yield _taken("helm offline", network_taken_by(), cost)
    cost = "a chart that makes Helm read a file of this machine is not stopped by the kernel"
    yield _taken("helm files", files_closed_by(), cost)


def _taken(name: str, how: str | None, cost: str) -> DoctorFinding:
    return DoctorFinding(name, _OK if how else "problem", f"by {how}" if how else "forbidden here", cost)


def _space(store: Path) -> DoctorFinding:
    usage = shutil.disk_usage(store if store.exists() else Path())
    text = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
    cost = "an import needs as much space as its media, and leaves the store untouched when it runs out"
    return DoctorFinding("disk", _OK if usage.free > 1e9 else "problem", text, cost)
