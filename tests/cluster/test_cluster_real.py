"""The cluster to develop against: what it runs, whence it pulls, what Helm does with it, how it survives."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.images import fixture_images
from tests.support.kubernetes.cluster_fixtures import CLUSTER
from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.product.e2e_road import Airstore, Store, publisher, site
from tests.support.product.e2e_world import served

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.disrupts]
HOST = "vendor.example.com"
API, CACHE = f"{HOST}/shop/api:1.0.0", f"{HOST}/shop/cache:7.2.0"  # one platform, an index of two
LOCAL = "airstore.invalid/busybox:1"
KUBERNETES = {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}
COMPONENTS = {"etcd", "containerd", "coredns"} | KUBERNETES


def wait_for(condition: Callable[[], Any], seconds: float = 90) -> Any:
    """What the condition says once that is something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.3)
    return found


def pod(name: str, image: str, *command: str, claim: str = "") -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    spec: dict[str, Any] = {"containers": [container], "terminationGracePeriodSeconds": 0}
    if claim:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def run_status(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CLUSTER, *words], capture_output=True, text=True, check=False)


def pids() -> dict[str, int]:
    """Process of every component, as ``status`` tells."""
    done = run_status("status")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return {words[0]: int(words[1]) for words in lines if words[2:] == ["healthy"]}


def kill(numbers: Iterable[int]) -> None:
    """All at once; returns when the last thread of each has ended, which takes a busy machine a while."""
    handles = [os.pidfd_open(number) for number in numbers]
    for handle in handles:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    for handle in handles:
        assert select.select([handle], [], [], 60)[0], "it does not end"
        os.close(handle)


def test_the_node_is_ready_and_every_component_healthy(cluster: RealCluster) -> None:
    (node,) = cluster.json("get", "nodes")["items"]
    ready = {entry["type"]: entry["status"] for entry in node["status"]["conditions"]}
    assert ready["Ready"] == "True"
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
    assert pids().keys() == COMPONENTS


def test_up_again_changes_nothing(cluster: RealCluster) -> None:
    before = pids()
    done = run_status("up")
    assert done.returncode == 0, done.stderr
    assert pids() == before


def test_another_cluster_is_refused(cluster: RealCluster, tmp_path: Path) -> None:
    done = run_status("up", "--dir", str(tmp_path / "c"), "--port-offset", "100")
    assert done.returncode == 1
    assert f"cluster of {cluster.directory} exists" in done.stderr
    cluster.kubectl("get", "--raw", "/readyz")


@pytest.fixture(scope="module")
def sold(helm4: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Store]:
    """A publisher, and a site that took in its release from media."""
    directory = tmp_path_factory.mktemp("sold")
    (directory / "home").mkdir()
    (directory / "product").mkdir()
    fixture_images.build(directory / "product" / "images", [API, CACHE])
    images = {"include": [API, CACHE], "sources": {"*": "oci:images"}}
    store = publisher(Airstore(directory / "home", helm4), directory, {"images": images})
    store("release", "create", "--version", "1.0.0")
    return store, site(store, directory, "1.0.0")


@pytest.fixture
def mirrored(cluster: RealCluster, sold: tuple[Store, Store]) -> Iterator[None]:
    """The node gets the vendor's images from the site's embedded registry, and has none of them yet."""
    forget_images(cluster)
    with served(sold[1]) as running:
        file = cluster.hosts / HOST / "hosts.toml"
        file.parent.mkdir()
        file.write_text(
            f'server = "{running.url}"\n[host."{running.url}"]\ncapabilities = ["pull", "resolve"]\n'
        )
        yield
        cluster.forget(HOST)
    forget_images(cluster)


def forget_images(cluster: RealCluster) -> None:
    names = [name for name in ctr(cluster, "images", "list", "--quiet").split() if name.startswith(HOST)]
    if names:
        ctr(cluster, "images", "remove", "--sync", *names)


def ctr(cluster: RealCluster, *words: str) -> str:
    command = ["ctr", "--address", str(cluster.socket), "--namespace", "k8s.io", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("reference", [API, CACHE])
def test_a_pod_runs_the_publishers_image_out_of_the_sites_registry(
    cluster: RealCluster, sold: tuple[Store, Store], mirrored: None, space: str, reference: str
) -> None:
    digest = sold[0].images("1.0.0")[reference]
    pinned = f"{reference.rpartition(':')[0]}@{digest}"
    cluster.kubectl("apply", "-n", space, "-f", "-", stdin=pod("shop", pinned))
    cluster.kubectl("wait", "-n", space, "--for=condition=Ready", "pod/shop", "--timeout=120s")
    status = cluster.json("get", "pod", "shop", "-n", space)["status"]
    (container,) = status["containerStatuses"]
    assert container["imageID"].partition("@")[2] == digest
    said = cluster.kubectl("exec", "-n", space, "shop", "--", "wget", "-qO-", "http://127.0.0.1:8080/healthz")
    assert said == "ok\n"


def test_an_image_that_no_registry_has_is_not_run(cluster: RealCluster, mirrored: None, space: str) -> None:
    """So the test above does not pass by other means."""
    digest = "sha256:" + 64 * "0"
    cluster.kubectl("apply", "-n", space, "-f", "-", stdin=pod("shop", f"{HOST}/shop/api@{digest}"))

    def reason() -> str:
        statuses = cluster.json("get", "pod", "shop", "-n", space)["status"].get("containerStatuses", [])
        return "".join(entry["state"].get("waiting", {}).get("reason", "") for entry in statuses)

    assert wait_for(lambda: reason() in {"ErrImagePull", "ImagePullBackOff"})


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteMany"])
def test_a_claim_gets_a_volume_that_outlives_its_pod(cluster: RealCluster, space: str, mode: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
    }
    cluster.kubectl("apply", "-n", space, "-f", "-", stdin=claim)
    for name, command in (("writer", "echo kept > /data/file"), ("reader", "cat /data/file")):
        document = pod(name, LOCAL, "/bin/sh", "-c", command, claim="data")
        document["spec"]["restartPolicy"] = "Never"
        cluster.kubectl("apply", "-n", space, "-f", "-", stdin=document)
        done = "--for=jsonpath={.status.phase}=Succeeded"
        cluster.kubectl("wait", "-n", space, done, f"pod/{name}", "--timeout=90s")
    assert cluster.kubectl("logs", "-n", space, "reader") == "kept\n"


CHART = {
    "Chart.yaml": "apiVersion: v2\nname: tiny\nversion: 1.0.0\n",
    "values.yaml": f"image: {LOCAL}\nreplicas: 1\n",
    "templates/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: tiny}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: tiny}}
  template:
    metadata: {labels: {app: tiny}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: {{ .Values.image | quote }}
        command: [/bin/sh, -c, "exec httpd -f -p 8080 -h /etc"]
---
apiVersion: v1
kind: Service
metadata: {name: tiny}
spec: {selector: {app: tiny}, ports: [{port: 80, targetPort: 8080}]}
""",
}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    for name, text in CHART.items():
        file = tmp_path / "tiny" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "tiny"


@pytest.mark.bothhelms
def test_helm_installs_upgrades_and_uninstalls(
    cluster: RealCluster, helm: Path, chart: Path, space: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig)}

    def run(*words: str, code: int = 0) -> str:
        command = [str(helm), *words, "--namespace", space]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ready() -> int:
        return int(cluster.json("get", "deployment", "tiny", "-n", space)["status"].get("readyReplicas", 0))

    run("install", "tiny", str(chart), "--wait", "--timeout", "2m")
    assert ready() == 1
    run("upgrade", "tiny", str(chart), "--wait", "--timeout", "2m", "--set", "replicas=2")
    assert ready() == 2
    web = pod("client", LOCAL, "/bin/sh", "-c", "wget -qO- http://tiny/passwd && sleep 600")
    cluster.kubectl("apply", "-n", space, "-f", "-", stdin=web)
    wait_for(lambda: "root:x:0:0" in cluster.kubectl("logs", "-n", space, "client", "--ignore-errors"))
    # --wait waits for pods that really run: one that cannot is told as a failure.
    run(
        "upgrade", "tiny", str(chart), "--wait", "--timeout", "8s", "--set", f"image={HOST}/no/such:1", code=1
    )
    run("uninstall", "tiny", "--wait", "--timeout", "2m")
    assert cluster.json("get", "deployments,services", "-n", space)["items"] == []


def test_it_comes_up_again_after_everything_was_killed(cluster: RealCluster, space: str) -> None:
    document = pod("lasting", LOCAL, "/bin/sleep", "3600")
    cluster.kubectl("apply", "-n", space, "-f", "-", stdin=document)
    cluster.kubectl("wait", "-n", space, "--for=condition=Ready", "pod/lasting", "--timeout=90s")
    before = pids()
    kill(before.values())
    done = run_status("status")
    assert done.returncode == 1
    assert done.stdout.count("not running") == len(COMPONENTS)
    done = run_status("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not before.items() & pids().items()
    cluster.kubectl("wait", "-n", space, "--for=condition=Ready", "pod/lasting", "--timeout=90s")
    assert json.loads(cluster.kubectl("get", "pod", "lasting", "-n", space, "-o", "json"))["status"]["podIP"]
