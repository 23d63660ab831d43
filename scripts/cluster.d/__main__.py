"""A Kubernetes of one node on this machine, to develop against: see docs/cluster-for-development.md."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import bootstrap
import certificates
import components
import configuration
import host
import leftovers
import processes
import programs
from settings import NODE, RUN, Cluster, ClusterError

_SOCKET_PATH = 107  # bytes; a Unix socket's path cannot be longer


def up(cluster: Cluster) -> None:
    """Bring up what is not up, and prove that a pod runs."""
    begun = time.monotonic()
    host.refuse_strangers(cluster)
    programs.install_debian()
    cluster = replace(cluster, programs=programs.build({processes.MARK: str(cluster.directory)}))
    built = time.monotonic()
    configuration.write(cluster)
    host.prepare(cluster)
    certificates.create(cluster)
    for component in components.components(cluster):
        components.ensure(cluster, component)
        if component.name == "containerd":
            bootstrap.import_images(cluster)
        if component.name == "kube-apiserver":
            bootstrap.apply_objects(cluster)
    bootstrap.await_node(cluster)
    bootstrap.run_pod(cluster)
    now = time.monotonic()
    print(f"node {NODE} is Ready and a pod ran ({built - begun:.0f} s programs, {now - built:.0f} s cluster)")
    _print_places(cluster)


def _print_places(cluster: Cluster) -> None:
    print(f"kubeconfig  {cluster.kubeconfig}")
    print(f"containerd  {cluster.socket}")
    print(f"hosts.toml  {cluster.hosts}/HOST/hosts.toml")


def down(cluster: Cluster) -> None:
    """End and remove everything but the built programs; also what is left of a directory that was deleted."""
    # Last started, first ended: kubelet before its containers, which it would start again; etcd at the end.
    for component in reversed(components.components(cluster)):
        process = processes.recorded(cluster, component.name)
        processes.stop([process] if process else [], grace=3)
        if component.name == "kubelet":
            processes.stop(leftovers.containers(cluster), grace=0)
    leftovers.remove(cluster)
    if cluster.directory.exists():
        shutil.rmtree(cluster.directory)


def status(cluster: Cluster) -> bool:
    """Print how each component is; whether all are well."""
    well = True
    for component in components.components(cluster):
        process = processes.recorded(cluster, component.name)
        trouble = components.trouble(cluster, component) if process else "not running"
        print(f"{component.name:24} {process.pid if process else '-':>8}  {trouble or 'healthy'}")
        well = well and not trouble
    trouble = bootstrap.node_trouble(cluster)
    print(f"{'node ' + NODE:24} {'':>8}  {trouble or 'Ready'}")
    _print_places(cluster)
    return well and not trouble


@contextmanager
def _locked(cluster: Cluster) -> Iterator[None]:
    """One command at a time; the lock is on the parent directory, so no file of it stays behind."""
    cluster.directory.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(cluster.directory.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/cluster", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "build"))
    parser.add_argument("--dir", type=_absolute, default=RUN, help=f"state directory ({RUN})")
    parser.add_argument("--port-offset", type=int, metavar="N", help="added to every port; kept until `down`")
    return parser.parse_args()


def _absolute(text: str) -> Path:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError("an absolute path is needed")
    return Path(text).resolve()


def _remembered(cluster: Cluster, offset: int | None) -> Cluster:
    """The cluster with its ports: those asked for, else those of its last `up`."""
    memory = cluster.directory / "port-offset"
    if offset is None:
        return replace(cluster, offset=int(memory.read_text())) if memory.exists() else cluster
    cluster.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory.write_text(f"{offset}\n")
    return replace(cluster, offset=offset)


def main() -> None:
    options = _arguments()
    cluster = Cluster(options.dir)
    if options.command == "build":
        print(programs.build())
        return
    if os.geteuid() != 0:
        raise ClusterError("root is needed: containers, mounts and network devices are made")
    if len(os.fsencode(cluster.socket)) > _SOCKET_PATH - len(".ttrpc"):
        raise ClusterError(f"{cluster.directory} is too long a path for a socket in it: choose another --dir")
    with _locked(cluster):
        if not cluster.directory.exists() and options.command != "up":
            print(f"there is no cluster in {cluster.directory}")
            if options.command == "status":
                sys.exit(1)
        cluster = _remembered(cluster, options.port_offset)
        if options.command == "status":
            sys.exit(0 if status(cluster) else 1)
        up(cluster) if options.command == "up" else down(cluster)


if __name__ == "__main__":
    try:
        main()
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        sys.exit(1)
