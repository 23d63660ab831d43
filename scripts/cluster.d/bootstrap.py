"""What makes a running control plane a usable cluster: images, objects, and the proof that a pod runs."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import components
import programs
from settings import BUSYBOX, NAMESPACE, NODE, PAUSE, Cluster, ClusterError

OBJECTS = Path(__file__).parent / "objects.yaml"
_READY = 180.0  # seconds until the node is Ready, or the pod has run
# The pod's own proof: DNS answers it, and the API server's Service does.
_PROOF = "nc -w 10 kubernetes.default.svc.cluster.local 443 </dev/null && echo {nonce}"


def import_images(cluster: Cluster) -> None:
    """Give containerd the images that no registry has to provide: the pods' own, and a busybox."""
    present = _ctr(cluster, "images", "list", "--quiet").split()
    if PAUSE in present and BUSYBOX in present:
        return
    with tempfile.TemporaryDirectory() as work:
        archive = Path(work) / "images.tar"
        layout = Path(work) / "layout"
        _write_images(layout)
        subprocess.run(["tar", "-cf", archive, "-C", layout, "."], check=True)
        _ctr(cluster, "images", "import", str(archive))


def _write_images(layout: Path) -> None:
    """Both are a busybox; nothing is compiled."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from scripts.images.fixture_images import LayoutWriter  # noqa: PLC0415 - only `up` runs in an environment that has it
    from scripts.images.fixture_layers import base  # noqa: PLC0415

    layer = base(Path(programs.find("busybox")))
    writer = LayoutWriter(layout)
    for reference, command in ((PAUSE, ["/bin/sleep", "infinity"]), (BUSYBOX, ["/bin/sh"])):
        writer.name(_image(writer, layer, command), reference)
    writer.finish()


def _image(writer: Any, layer: Any, command: list[str]) -> Any:
    index = "application/vnd.oci.image"
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": command},
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id)]},
    }
    return writer.document(
        {
            "schemaVersion": 2,
            "mediaType": f"{index}.manifest.v1+json",
            "config": writer.blob(json.dumps(config).encode(), f"{index}.config.v1+json"),
            "layers": [writer.blob(layer.data, f"{index}.layer.v1.tar+gzip")],
        }
    )


def apply_objects(cluster: Cluster) -> None:
    """Apply `OBJECTS`; the class of Ingresses and of volumes, rights, a namespace."""
    kubectl(cluster, "apply", "--server-side", "--force-conflicts", "-f", str(OBJECTS))


def await_node(cluster: Cluster) -> None:
    """Wait until the node is Ready.

    Raises:
        ClusterError: it is not; with the reason that it gives.
    """
    if not components.wait(lambda: not node_trouble(cluster), _READY):
        raise ClusterError(
            f"node {NODE} is not Ready: {node_trouble(cluster)}\n{components.tail(cluster, 'kubelet')}"
        )


def node_trouble(cluster: Cluster) -> str:
    """Why the node is not Ready; empty when it is."""
    path = "{range .status.conditions[?(@.type=='Ready')]}{.status} {.reason}: {.message}{end}"
    try:
        said = kubectl(cluster, "get", "node", NODE, "--output", f"jsonpath={path}")
    except ClusterError as error:
        return str(error)
    return "" if said.startswith("True ") else said


def run_pod(cluster: Cluster) -> None:
    """Run a pod that finds the API server by its name, and read its log.

    Raises:
        ClusterError: it did not come to its end, or said something else.
    """
    nonce = secrets.token_hex(8)
    name = f"proof-{nonce}"
    container = {
        "name": "proof",
        "image": BUSYBOX,
        "imagePullPolicy": "Never",
        "command": ["/bin/sh", "-c", _PROOF.format(nonce=nonce)],
    }
    spec = {"restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 0, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    _await_account(cluster)
    kubectl(cluster, "-n", NAMESPACE, "create", "-f", "-", stdin=json.dumps(pod))
    try:
        if not components.wait(lambda: _phase(cluster, name) == "Succeeded", _READY):
            described = kubectl(cluster, "-n", NAMESPACE, "describe", "pod", name)
            raise ClusterError(f"pod {name} did not run:\n{described[-2000:]}")
        said = kubectl(cluster, "-n", NAMESPACE, "logs", name)
        if nonce not in said:
            raise ClusterError(f"pod {name} ran, but its log is {said[:500]!r}")
    finally:
        kubectl(cluster, "-n", NAMESPACE, "delete", "pod", name, "--wait=false")


def _await_account(cluster: Cluster) -> None:
    """A namespace takes pods once the controller manager has made its service account."""
    find = ("-n", NAMESPACE, "get", "serviceaccount", "default", "--ignore-not-found", "--output", "name")
    if not components.wait(lambda: bool(kubectl(cluster, *find)), _READY):
        log = components.tail(cluster, "kube-controller-manager")
        raise ClusterError(f"namespace {NAMESPACE} gets no service account\n{log}")


def _phase(cluster: Cluster, pod: str) -> str:
    return kubectl(cluster, "-n", NAMESPACE, "get", "pod", pod, "--output", "jsonpath={.status.phase}")


def kubectl(cluster: Cluster, *words: str, stdin: str = "") -> str:
    """Run kubectl as administrator; what it prints."""
    options = (f"--kubeconfig={cluster.kubeconfig}", f"--cache-dir={cluster.directory / 'kubectl'}")
    return _run([programs.find("kubectl"), *options, "--request-timeout=20s", *words], stdin)


def _ctr(cluster: Cluster, *words: str) -> str:
    return _run(["ctr", "--address", str(cluster.socket), "--namespace", "k8s.io", *words])


def _run(command: list[str], stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise ClusterError(f"{' '.join(command[:12])} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout
