"""The programs a cluster is made of: Debian packages, and Go programs built once and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from settings import CACHE, TOOLS, ClusterError

SOURCE = Path(__file__).parent
KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
VERSION = "v1.36.3"
_STAMP = "k8s.io/component-base/version"
_NUMBERS = {"gitVersion": VERSION, "gitMajor": "1", "gitMinor": "36", "gitTreeState": "clean"}
_LINK = " ".join(f"-X {_STAMP}.{name}={value}" for name, value in _NUMBERS.items())
_FLAGS = ("-trimpath", f"-ldflags=-s -w {_LINK}")
_PINS = ("go.mod", "go.sum", "dns/go.mod", "dns/go.sum", "dns/main.go")

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


def build() -> Path:
    """Build what is not in the cache; minutes on a small machine the first time, nothing afterwards."""
    target = cached()
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as work:
            out = Path(work) / "bin"
            packages = [f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES]
            _compile(SOURCE, out, *packages)
            _compile(SOURCE / "dns", out, ".")
            (out / "dns").rename(out / "coredns")
            _publish(out, target)
    # Tests that need an API server alone look for it among the tools.
    TOOLS.mkdir(parents=True, exist_ok=True)
    _link(TOOLS / "kube-apiserver", target / "kube-apiserver")
    return target


def _compile(module: Path, out: Path, *packages: str) -> None:
    if not shutil.which("go"):
        raise ClusterError(f"Go is needed to build Kubernetes: the version in {SOURCE / 'go.mod'}, or newer")
    print(f"building {', '.join(Path(name).name or 'dns' for name in packages)}", flush=True)
    out.mkdir(exist_ok=True)
    command = ["nice", "-n", "19", "go", "build", *_FLAGS, "-o", f"{out}/", *packages]
    done = subprocess.run(command, cwd=module, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"go build in {module} failed:\n{done.stderr[-3000:]}")


def _publish(out: Path, target: Path) -> None:
    try:
        out.rename(target)
    except OSError:
        if not target.is_dir():  # somebody else's build of the same pins is as good
            raise


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
