"""A product whose pods really run, from an image that is on the node, with hooks that are Jobs.

The database is a file in a volume; the backups are next to it.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.kubernetes.apply_parts import Landscape, landscape
from tests.support.kubernetes.cluster_site import RealCluster

IMAGE = "airstore.invalid/busybox:1"
JOBS = {hook: f"{hook}.yaml" for hook in ("preUpgrade", "verifyBackup", "postUpgrade", "rollback")}
_numbers = itertools.count()
_CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: {{ .Release.Name }}-data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""
_KEEP_ENVIRONMENT = "/bin/busybox env > /data/$AIRSTORE_HOOK-$AIRSTORE_VERSION"
SCRIPTS = {
    "preUpgrade": f"{_KEEP_ENVIRONMENT}; /bin/busybox cp /data/table /data/backup-$AIRSTORE_RUN",
    "verifyBackup": "test -s /data/backup-$AIRSTORE_RUN",
    "postUpgrade": f"{_KEEP_ENVIRONMENT}; echo rows of $AIRSTORE_VERSION > /data/table",
    "rollback": f"{_KEEP_ENVIRONMENT}; /bin/busybox cp /data/backup-$AIRSTORE_RUN /data/table",
}


def container(script: str, **more: Any) -> dict[str, Any]:
    """One that runs a shell script in the node's image, with the volume in ``/data``."""
    return {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/busybox", "sh", "-ec", script],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        **more,
    }


def _pod(release: str, *containers: Mapping[str, Any]) -> dict[str, Any]:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": f"{release}-data"}}
    return {"terminationGracePeriodSeconds": 0, "containers": list(containers), "volumes": [volume]}


def job(hook: str, script: str) -> str:
    """Manifest of a hook's Job, which also knows a secret of the chart."""
    key = {"configMapKeyRef": {"name": "db-config", "key": "password"}}
    pod = _pod("db", container(script, env=[{"name": "PASSWORD", "valueFrom": key}]))
    spec = {"backoffLimit": 0, "template": {"spec": {**pod, "restartPolicy": "Never"}}}
    document = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": hook.lower()}, "spec": spec}
    return json.dumps(document)


def jobs(**scripts: str) -> dict[str, str]:
    """Files of all hooks; some with another script."""
    return {JOBS[hook]: job(hook, script) for hook, script in {**SCRIPTS, **scripts}.items()}


def deployment(release: str, **more: Any) -> str:
    """A Deployment that runs and does nothing; every version of the chart has pods of its own."""
    labels = {"app": release}
    annotations = {"version": "{{ .Chart.Version }}"}
    forever = container("exec /bin/busybox sleep 2147483647", **more)
    template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": _pod(release, forever)}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": release}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


def chart(release: str, **more: Any) -> dict[str, str]:
    """Files of a chart of such a Deployment."""
    return {"templates/claim.yaml": _CLAIM, "templates/pods.yaml": deployment(release, **more)}


CHARTS = {name: chart(name) for name in ("db", "web")}


@contextmanager
def running_shop(
    cluster: RealCluster, directory: Path, helm: Path, charts: Mapping[str, Mapping[str, str]] = CHARTS
) -> Iterator[Landscape]:
    """Release 1.0.0 of two Helm releases runs, and the database has rows."""
    namespace = f"jobs-{os.getpid()}-{next(_numbers)}"
    shop = landscape(cluster, directory, helm, namespace)
    shop.scripts = JOBS
    try:
        shop.release("1.0.0", dict.fromkeys(charts, "1.0.0"), charts, hooks=jobs(), timeout="60s")
        shop.run("apply")
        assert rows(shop) == "rows of 1.0.0"
        yield shop
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


def file(shop: Landscape, name: str) -> str:
    """A file in the database's volume, read in its pod."""
    listed = shop.api.kubectl("get", "pod", "-n", shop.namespace, "-l", "app=db", "-o", "name").split()
    words = ("exec", "-n", shop.namespace, listed[0], "--", "/bin/busybox", "cat", f"/data/{name}")
    return shop.api.kubectl(*words).strip()


def rows(shop: Landscape) -> str:
    """What the database holds."""
    return file(shop, "table")


def job_pods(shop: Landscape) -> list[str]:
    """Jobs, and pods of Jobs, that are left."""
    words = ("get", "job,pod", "-n", shop.namespace, "-o", "name")
    staying = tuple(f"pod/{name}-" for name in CHARTS)
    return [name for name in shop.api.kubectl(*words).split() if not name.startswith(staying)]


def pods(shop: Landscape) -> dict[str, tuple[str, bool]]:
    """Each staying pod's app to the chart version it is of, and whether it is ready."""
    listed = shop.api.json("get", "pod", "-n", shop.namespace)["items"]
    return {
        each["metadata"]["labels"]["app"]: (
            each["metadata"]["annotations"]["version"],
            all(status["ready"] for status in each["status"]["containerStatuses"]),
        )
        for each in listed
        if "deletionTimestamp" not in each["metadata"]
    }
