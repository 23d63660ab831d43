"""The configuration files of the components; JSON where they read YAML, which it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from settings import BRIDGE, CGROUP, NODE_IP, PAUSE, PODS, Cluster

USERS = ("controller-manager", "scheduler", "proxy", "dns", "node")  # each has a certificate of its name
_EMPTY = {"nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%"}


def write(cluster: Cluster) -> None:
    """Write every file; one that has not changed stays as it is."""
    for directory in (cluster.config / "cni", cluster.hosts, cluster.logs / "pods", cluster.run):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _text(cluster.kubeconfig, _json(_kubeconfig(cluster, "admin")))
    for user in USERS:
        _text(cluster.config / f"{user}.kubeconfig", _json(_kubeconfig(cluster, user)))
    _text(cluster.config / "containerd.toml", _containerd(cluster))
    _text(cluster.config / "cni" / "10-airstore.conflist", _json(_network(cluster)))
    _text(cluster.config / "kubelet.json", _json(_kubelet(cluster)))
    _text(cluster.config / "proxy.json", _json(_proxy(cluster)))
    _text(cluster.config / "Corefile", _corefile(cluster))
    _text(cluster.config / "resolv.conf", "options ndots:1\n")


def _text(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.rename(path)


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _kubeconfig(cluster: Cluster, user: str) -> dict[str, Any]:
    pki, name = cluster.pki, "airstore-cluster"
    credentials = {
        "client-certificate": str(pki / f"{user}.crt"),
        "client-key": str(pki / f"{user}.key"),
    }
    server = {"server": cluster.api, "certificate-authority": str(pki / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": server}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }


def _containerd(cluster: Cluster) -> str:
    """An instance that shares nothing with the machine's own.

    Processes may not be given a better chance with the kernel's OOM killer than we have: without the
    capability for that, no pod would start.
    """
    state = cluster.run / "containerd"
    return f"""\
version = 2
root = "{cluster.directory}/containerd"
state = "{state}"

[grpc]
  address = "{cluster.socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{cluster.directory}/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cluster.config}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{state}/runc"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{cluster.hosts}"
"""


def _network(cluster: Cluster) -> dict[str, Any]:
    """Pods reach each other, Services and the node; nothing is translated on the way out, so no further."""
    addresses = {
        "type": "host-local",
        "dataDir": str(cluster.run / "addresses"),
        "ranges": [[{"subnet": PODS, "gateway": NODE_IP}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {"cniVersion": "1.0.0", "name": "airstore", "plugins": [bridge]}


def _kubelet(cluster: Cluster) -> dict[str, Any]:
    pki = cluster.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "port": cluster.port("kubelet"),
        "healthzPort": cluster.port("kubelet-health"),
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "node.crt"),
        "tlsPrivateKeyFile": str(pki / "node.key"),
        "containerRuntimeEndpoint": f"unix://{cluster.socket}",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": False,
        "clusterDNS": [NODE_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": str(cluster.config / "resolv.conf"),
        "podLogsDir": str(cluster.logs / "pods"),
        "volumePluginDir": str(cluster.directory / "volume-plugins"),
        # A busy or nearly full machine must not make tests fail in ways that have nothing to do with them.
        "evictionHard": {"memory.available": "50Mi", **_EMPTY},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
        "shutdownGracePeriod": "0s",
        "syncFrequency": "10s",
    }


def _proxy(cluster: Cluster) -> dict[str, Any]:
    leave = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(cluster.config / "proxy.kubeconfig")},
        "mode": "nftables",
        "clusterCIDR": PODS,
        "bindAddress": NODE_IP,
        "healthzBindAddress": f"127.0.0.1:{cluster.port('proxy-health')}",
        "metricsBindAddress": f"127.0.0.1:{cluster.port('proxy-metrics')}",
        "conntrack": leave,
        "oomScoreAdj": 0,
    }


def _corefile(cluster: Cluster) -> str:
    """DNS of Services and pods alone: what is not in the cluster has no name, as at a site."""
    return f"""\
.:53 {{
    bind {NODE_IP}
    errors
    health 127.0.0.1:{cluster.port("dns-health")}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {cluster.config}/dns.kubeconfig
        ttl 5
    }}
}}
"""
