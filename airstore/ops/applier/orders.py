"""The applier in the cluster, from outside: told what to do, and given media."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace
from pathlib import Path

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Connection
from airstore.cluster.api.transport.execute import STDOUT, Container, execute
from airstore.cluster.applier import objects as make
from airstore.cluster.applier.settings import ApplierSettings
from airstore.cluster.workloads.job_log import run_logged
from airstore.core.errors import NotFoundError, TransferError
from airstore.core.frozen import frozen
from airstore.core.location import CONFIG
from airstore.core.progress import Progress
from airstore.core.streams.framing import framed
from airstore.core.streams.treestream import files_of, tar_chunks


@frozen
class ApplierCluster:
    """The cluster to work on.

    Attributes:
        say: told about every step.
        write: takes what commands in the cluster say, with `STDOUT` or `STDERR`.
        timeout: seconds for the pod to become ready.
    """

    connection: Connection
    say: Callable[[str], None] = field(repr=False)
    write: Callable[[int, bytes], None] = field(repr=False)
    progress: Progress = field(repr=False)
    now: int = 0
    timeout: float = 300.0

    @property
    def objects(self) -> Objects:
        """Its objects."""
        return Objects(self.connection)


def run(cluster: ApplierCluster, settings: ApplierSettings, words: Sequence[str], timeout: int) -> int:
    """Run one airstore command in a Job; returns its exit code.

    Raises:
        NotFoundError: there is no applier.
        TransferError: the API server refused, or the Job did not come to its end.
    """
    current = _current(cluster, settings)
    job = make.job(current, f"airstore-{secrets.token_hex(5)}", words, timeout)
    return run_logged(cluster.objects, job, lambda data: cluster.write(STDOUT, data), cluster.say)


def send_media(cluster: ApplierCluster, settings: ApplierSettings, media: Path) -> int:
    """Copy media into the applier's volume and import them there; returns the import's exit code.

    Raises:
        NotFoundError: there are no such media, or no applier that runs.
        TransferError: the API server refused or the connection broke.
    """
    if not media.is_dir():
        raise NotFoundError(f"there are no media at {media}")
    pod = working_pod(cluster, settings)
    return send(cluster, settings, media, files_of(media, lambda _path: True), (pod, make.CONTAINER, "media"))


def send(
    cluster: ApplierCluster,
    settings: ApplierSettings,
    source: Path,
    files: list[Path],
    to: tuple[str, str, str],
) -> int:
    """Send files to ``airstore applier receive``; returns its exit code.

    Args:
        cluster: to work on.
        settings: of the applier.
        source: what the files' paths are relative to there.
        files: what to send.
        to: pod, container, and what it is: ``store`` or ``media``.

    Raises:
        TransferError: the API server refused or the connection broke.
    """
    pod, container, what = to
    size = sum(path.stat().st_size for path in files if path.is_file())
    command = ["airstore", "-C", make.STORE, "applier", "receive", what]
    where = Container(settings.namespace, pod, container)
    with cluster.progress.task(f"sending {what}", size) as advance:
        stream = framed(tar_chunks(source, files, advance))
        return execute(cluster.connection, where, command, cluster.write, stream)


def working_pod(cluster: ApplierCluster, settings: ApplierSettings) -> str:
    """The pod in which the applier works on its store.

    Raises:
        NotFoundError: there is none.
    """
    pod = running_pod(cluster, settings, make.CONTAINER)
    if not pod:
        raise NotFoundError(
            f"the applier {settings.namespace}/{settings.name} does not run",
            hint=f"kubectl get pods -n {settings.namespace}; or make it: airstore applier install",
        )
    return pod


def running_pod(cluster: ApplierCluster, settings: ApplierSettings, container: str) -> str | None:
    """The Deployment's pod in which this container runs; None if there is none."""
    labels = ",".join(f"{key}={value}" for key, value in make.pod_labels(settings).items())
    for pod in cluster.objects.list("v1", "Pod", settings.namespace, labels=labels):
        if not pod["metadata"].get("deletionTimestamp") and container in _containers(pod):
            return str(pod["metadata"]["name"])
    return None


class SilentContainerError(TransferError):
    """A container could not be asked: it may have ended since it was seen."""


def has_store(cluster: ApplierCluster, settings: ApplierSettings, pod: str, container: str) -> bool:
    """Whether the applier's volume has a store, as a container sees it.

    Asked with coreutils' ``test``, which the image of every version has.

    Raises:
        UnansweredError: refused, or the container has just ended.
    """
    command = ["test", "-f", f"{make.STORE}/{CONFIG}"]
    where = Container(settings.namespace, pod, container)
    try:
        code = execute(cluster.connection, where, command, cluster.write)
    except TransferError as fault:
        raise SilentContainerError(str(fault), hint=fault.hint) from fault
    if code > 1:
        raise SilentContainerError(f"container {container} of pod {settings.namespace}/{pod} ended ({code})")
    return code == 0


def _containers(pod: dict[str, object]) -> Iterator[str]:
    """Names of its containers that run."""
    status = pod.get("status")
    assert isinstance(status, dict)  # noqa: S101 - the API's
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if "running" in (each.get("state") or {}):
            yield str(each["name"])


def _current(cluster: ApplierCluster, settings: ApplierSettings) -> ApplierSettings:
    """The applier as it is: the image of a newer release may not be there yet."""
    found = cluster.objects.get("apps/v1", "Deployment", settings.name, settings.namespace)
    if found is None:
        raise NotFoundError(
            f"there is no applier {settings.namespace}/{settings.name} in this cluster",
            hint="make it: airstore applier install",
        )
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return replace(settings, image=str(container["image"]))
