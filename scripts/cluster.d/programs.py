"""The programs a cluster is made of: Debian packages, and one Go program of many names, built once and kept.

Kubernetes' components and CoreDNS share most of their packages: linked into one program, each package is
compiled once and everything is linked once. A program is told by its name which one it is (``main.go``).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from settings import CACHE, TOOLS, ClusterError

SOURCE = Path(__file__).parent
NAMES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "coredns")
_NO_MARK: Mapping[str, str] = MappingProxyType({})
_PROGRAM = "cluster"  # what they are links to
VERSION = "v1.36.3"
_STAMP = "k8s.io/component-base/version"
_NUMBERS = {"gitVersion": VERSION, "gitMajor": "1", "gitMinor": "36", "gitTreeState": "clean"}
_LINK = " ".join(f"-X {_STAMP}.{name}={value}" for name, value in _NUMBERS.items())
_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false", f"-ldflags=-s -w {_LINK}")
# The compiler collects garbage less often: with no debug information this saves a third of its time. No C.
_ENVIRONMENT = {"GOGC": "400", "CGO_ENABLED": "0"}
_PINS = ("go.mod", "go.sum", "main.go")

# Program and the Debian package that has it. kube-proxy runs nft and conntrack, kubectl port-forward socat.
DEBIAN = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "socat": "socat",
    "mount": "mount",
    "openssl": "openssl",
}


def install_debian() -> None:
    """Install what is missing; needs root and Debian."""
    missing = sorted({package for program, package in DEBIAN.items() if not shutil.which(program)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(f"please install {', '.join(missing)}: this is not a Debian system")
    print(f"installing {' '.join(missing)}", flush=True)
    # apt-get starts the services of what it installs; ours are the only ones wanted.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        _apt("update", check=False)
        _apt("install", "--no-install-recommends", "--yes", *missing)
    finally:
        if ours:
            policy.unlink()


def _apt(*words: str, check: bool = True) -> None:
    options = ("-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *options, *words], env=environment, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise ClusterError(f"apt-get {' '.join(words)} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def cached() -> Path:
    """Where the programs of exactly these pins and flags are, or will be."""
    state = hashlib.sha256("\0".join(_FLAGS).encode())
    for name in _PINS:
        state.update((SOURCE / name).read_bytes())
    return CACHE / "cluster" / state.hexdigest()[:16]


def build(mark: Mapping[str, str] = _NO_MARK) -> Path:
    """Build what is not in the cache; minutes on a small machine the first time, nothing afterwards.

    Args:
        mark: environment by which the compiler is known, should we be killed.
    """
    target = cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent):
        if not target.is_dir():
            _build(target, mark)
    # Tests that need an API server alone look for it among the tools.
    TOOLS.mkdir(parents=True, exist_ok=True)
    _link(TOOLS / "kube-apiserver", target / "kube-apiserver")
    return target


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One build at a time; what a killed one left is removed."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for left in directory.glob(".build-*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(handle)


def _build(target: Path, mark: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as work:
        out = Path(work) / "bin"
        out.mkdir()
        _compile(out / _PROGRAM, mark)
        for name in NAMES:
            (out / name).symlink_to(_PROGRAM)
        out.rename(target)


def _compile(out: Path, mark: Mapping[str, str]) -> None:
    if not shutil.which("go"):
        raise ClusterError(f"Go is needed to build Kubernetes: the version in {SOURCE / 'go.mod'}, or newer")
    print(f"building {', '.join(NAMES)}", flush=True)
    command = ["go", "build", *_FLAGS, "-o", str(out), "."]
    environment = {**os.environ, **_ENVIRONMENT, **mark}
    done = subprocess.run(command, cwd=SOURCE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"go build in {SOURCE} failed:\n{done.stderr[-3000:]}")


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    fresh = link.with_name(f".{link.name}-{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


def find(name: str) -> str:
    """Path of a program of the system or of the tools."""
    found = shutil.which(name) or shutil.which(name, path=f"{TOOLS}:/usr/local/sbin:/usr/sbin:/sbin")
    if not found:
        raise ClusterError(f"{name} is not on PATH: run scripts/cluster up")
    return found
