"""The components in the order they start: how each is run, and how it says that it is well."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import processes
from settings import NODE, NODE_IP, SERVICES, Cluster, ClusterError

_START = 120.0  # seconds a component may take to be healthy, on a machine that is busy with something else
_TAIL = 15  # lines of a log that an error shows


@dataclass(frozen=True)
class Component:
    """One program of the cluster.

    Attributes:
        argv: how it is run.
        url: answers 200 when the component is well; empty for containerd, which is asked through its socket.
        files: what it reads at its start, beyond certificates; a change is a reason to start it anew.
    """

    name: str
    argv: list[str]
    url: str
    files: tuple[Path, ...] = ()


def components(cluster: Cluster) -> list[Component]:
    """All of them."""
    makers = (_etcd, _containerd, _apiserver, _controllers, _scheduler, _kubelet, _proxy, _dns)
    return [make(cluster) for make in makers]


def ensure(cluster: Cluster, component: Component) -> None:
    """Run a component unless it runs as it should, and wait until it is well.

    Raises:
        ClusterError: it ended or did not become healthy; with the end of its log.
    """
    wanted = processes.fingerprint(component.argv, component.files)
    running = processes.recorded(cluster, component.name)
    if running and running.print != wanted:
        processes.stop([running])
        running = None
    if not running:
        print(f"starting {component.name}", flush=True)
        processes.stop(processes.strays(cluster, component.argv))
        processes.start(cluster, component.name, component.argv, wanted)
    _await_health(cluster, component)


def _await_health(cluster: Cluster, component: Component) -> None:
    def well() -> bool:
        if not processes.recorded(cluster, component.name):
            raise ClusterError(f"{component.name} has ended:\n{tail(cluster, component.name)}")
        return not trouble(cluster, component)

    if not wait(well, _START):
        raise ClusterError(
            f"{component.name} is not healthy after {_START:.0f} s: {trouble(cluster, component)}\n"
            f"{tail(cluster, component.name)}"
        )


def wait(well: Callable[[], bool], seconds: float) -> bool:
    """Ask until the answer is yes or the time is over."""
    deadline = time.monotonic() + seconds
    while not well():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.25)
    return True


def tail(cluster: Cluster, name: str) -> str:
    """The end of a log, and where the rest is."""
    log = cluster.logs / f"{name}.log"
    lines = log.read_text(errors="replace").splitlines()[-_TAIL:] if log.exists() else []
    return "\n".join([*(f"    {line[:400]}" for line in lines), f"  all of it: {log}"])


def trouble(cluster: Cluster, component: Component) -> str:
    """Why a component is not well; empty when it is."""
    if not component.url:
        return _runtime_trouble(cluster)
    try:
        with _opener(cluster).open(component.url, timeout=5) as response:
            return "" if response.status == 200 else f"answers {response.status}"
    except (urllib.error.URLError, OSError) as error:
        return str(error)


def _opener(cluster: Cluster) -> urllib.request.OpenerDirector:
    """etcd wants a certificate from its clients; no proxy is asked for what is on this machine."""
    context = ssl.create_default_context(cafile=cluster.pki / "ca.crt")
    context.load_cert_chain(cluster.pki / "loopback.crt", cluster.pki / "loopback.key")
    https = urllib.request.HTTPSHandler(context=context)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), https)


def _runtime_trouble(cluster: Cluster) -> str:
    done = subprocess.run(
        ["ctr", "--address", str(cluster.socket), "--timeout", "5s", "version"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip() if done.returncode else ""


def _system(name: str) -> str:
    return shutil.which(name) or name


def _etcd(cluster: Cluster) -> Component:
    pki, port, peer = cluster.pki, cluster.port("etcd"), cluster.port("etcd-peer")
    argv = [
        _system("etcd"),
        f"--data-dir={cluster.directory / 'etcd'}",
        # A killed process loses nothing by this, only a crash of the machine would.
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls=https://127.0.0.1:{port}",
        f"--advertise-client-urls=https://127.0.0.1:{port}",
        f"--listen-peer-urls=https://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=https://127.0.0.1:{peer}",
        f"--initial-cluster=default=https://127.0.0.1:{peer}",
    ]
    for prefix in ("--", "--peer-"):
        argv += [f"{prefix}cert-file={pki / 'loopback.crt'}", f"{prefix}key-file={pki / 'loopback.key'}"]
        argv += [f"{prefix}trusted-ca-file={pki / 'ca.crt'}", f"{prefix}client-cert-auth"]
    return Component("etcd", argv, f"https://127.0.0.1:{port}/health")


def _containerd(cluster: Cluster) -> Component:
    config = cluster.config / "containerd.toml"
    return Component("containerd", [_system("containerd"), "--config", str(config)], "", (config,))


def _apiserver(cluster: Cluster) -> Component:
    pki = cluster.pki
    argv = [
        str(cluster.programs / "kube-apiserver"),
        f"--bind-address={NODE_IP}",
        f"--advertise-address={NODE_IP}",
        f"--secure-port={cluster.port('apiserver')}",
        f"--cert-dir={pki}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--etcd-servers=https://127.0.0.1:{cluster.port('etcd')}",
        f"--etcd-cafile={pki / 'ca.crt'}",
        f"--etcd-certfile={pki / 'loopback.crt'}",
        f"--etcd-keyfile={pki / 'loopback.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={SERVICES}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'accounts.key'}",
    ]
    return Component("kube-apiserver", argv, f"{cluster.api}/readyz")


def _controllers(cluster: Cluster) -> Component:
    pki, port = cluster.pki, cluster.port("controller-manager")
    argv = [
        str(cluster.programs / "kube-controller-manager"),
        f"--kubeconfig={cluster.config / 'controller-manager.kubeconfig'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={pki}",
        f"--tls-cert-file={pki / 'loopback.crt'}",
        f"--tls-private-key-file={pki / 'loopback.key'}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={pki / 'accounts.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        # The dynamic provisioner behind the StorageClass `local`; directories under /tmp/hostpath_pv.
        "--enable-hostpath-provisioner=true",
        f"--flex-volume-plugin-dir={cluster.directory / 'volume-plugins'}",
    ]
    return Component("kube-controller-manager", argv, f"https://127.0.0.1:{port}/healthz")


def _scheduler(cluster: Cluster) -> Component:
    pki, port = cluster.pki, cluster.port("scheduler")
    argv = [
        str(cluster.programs / "kube-scheduler"),
        f"--kubeconfig={cluster.config / 'scheduler.kubeconfig'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={pki}",
        f"--tls-cert-file={pki / 'loopback.crt'}",
        f"--tls-private-key-file={pki / 'loopback.key'}",
        "--leader-elect=false",
    ]
    return Component("kube-scheduler", argv, f"https://127.0.0.1:{port}/healthz")


def _kubelet(cluster: Cluster) -> Component:
    config = cluster.config / "kubelet.json"
    argv = [
        str(cluster.programs / "kubelet"),
        f"--config={config}",
        f"--kubeconfig={cluster.config / 'node.kubeconfig'}",
        f"--root-dir={cluster.directory / 'kubelet'}",
        f"--cert-dir={cluster.pki}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_IP}",
    ]
    url = f"http://127.0.0.1:{cluster.port('kubelet-health')}/healthz"
    return Component("kubelet", argv, url, (config, cluster.config / "resolv.conf"))


def _proxy(cluster: Cluster) -> Component:
    config = cluster.config / "proxy.json"
    argv = [
        str(cluster.programs / "kube-proxy"),
        f"--config={config}",
        f"--hostname-override={NODE}",
    ]
    return Component(
        "kube-proxy", argv, f"http://127.0.0.1:{cluster.port('proxy-health')}/healthz", (config,)
    )


def _dns(cluster: Cluster) -> Component:
    config = cluster.config / "Corefile"
    url = f"http://127.0.0.1:{cluster.port('dns-health')}/health"
    return Component("coredns", [str(cluster.programs / "coredns"), "-conf", str(config)], url, (config,))
