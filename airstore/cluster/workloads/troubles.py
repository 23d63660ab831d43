"""What keeps pods from running, in the words of scheduler and kubelet, and of which kind it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airstore.core.excerpt import excerpt
from airstore.core.kube.documents import Document
from airstore.core.kube.sights import Cause, Trouble

_MESSAGE = 300  # characters of a kubelet's message; runtimes put the cause last
_RESTARTS = 3  # of one container; what crashed so often crashes again
_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_STARTS = frozenset({None, "ContainerCreating", "PodInitializing"})
_VOLUME = ("persistentvolumeclaim", "binding volumes", "volume node affinity")


def troubles(pods: Iterable[Document], *, job: bool = False) -> Iterator[Trouble]:
    """What keeps pods from running.

    Args:
        pods: as the API server shows them.
        job: they are a Job's, which has a limit of its own to how often it tries.
    """
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        for condition in status.get("conditions") or ():
            if condition.get("reason") == "Unschedulable":
                message = str(condition.get("message"))
                # A volume that is being provisioned, or awaits its pod, comes by itself.
                waits = any(word in message.lower() for word in _VOLUME)
                cause = Cause.OTHER if waits else Cause.UNSCHEDULABLE
                yield Trouble(cause, f"pod {name}", f"pod {name} cannot be scheduled: {message}")
        for container in containers(status):
            yield from _container(name, container, job=job)


def containers(status: Document) -> Iterator[Document]:
    """Statuses of a pod's containers, the first ones first."""
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _container(pod: str, container: Document, *, job: bool) -> Iterator[Trouble]:
    name, state = str(container["name"]), container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, (container.get("lastState") or {}).get("terminated")
    reason = waiting.get("reason")
    if reason in _STARTS:
        return
    said = f": {excerpt(str(waiting['message']), _MESSAGE)}" if waiting.get("message") else ""
    code = f" (exit code {ended.get('exitCode')})" if ended else ""
    subject = f"pod {pod}, container {name}"
    cause = Cause.IMAGE if reason in _IMAGE else Cause.OTHER
    crashed = reason == "CrashLoopBackOff"
    if crashed and not job and int(container.get("restartCount") or 0) >= _RESTARTS:
        cause = Cause.CRASH
    logged = (pod, name, True) if crashed else ("", "", False)
    yield Trouble(cause, subject, f"{subject}: {reason}{code}{said}", *logged)
