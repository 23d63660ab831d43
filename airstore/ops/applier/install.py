"""``airstore applier install``: the applier made in the cluster, and given the site's store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from airstore.cluster.api.objects import Objects, describe
from airstore.cluster.api.transport.execute import Container, execute
from airstore.cluster.applier import objects as make
from airstore.cluster.applier.settings import ApplierSettings
from airstore.cluster.registry.pull_secrets import let_pull
from airstore.cluster.workloads.workloads import Workloads
from airstore.core.errors import TransferError, UsageError
from airstore.core.frozen import frozen
from airstore.core.model.gates import WorkloadGate
from airstore.core.model.site import SiteFile
from airstore.core.streams.treestream import files_of
from airstore.deploy.run.journal import unfinished
from airstore.ops.applier.manifests import Applier
from airstore.ops.applier.orders import ApplierCluster, SilentContainerError, has_store, running_pod, send
from airstore.ops.applier.receive import ledger_tip
from airstore.ops.apply.session.at_work import refuse_unfinished
from airstore.ops.apply.session.handover import Moved, has_arrived, mark, unmark
from airstore.ops.apply.session.runs import Runs
from airstore.ops.registry.incluster.pull_credentials import pull_login
from airstore.ops.registry.incluster.readiness import ReadinessWait
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.remembered import FILE as REMEMBERED
from airstore.ops.stores.site.anchor_places import config_map_of
from airstore.store.blobs import StoreLayout

_PUSHED = "is the release in the registry that the nodes pull from? see `airstore registry push`"
_MARKER = StoreLayout(Path()).applier.name
_KILLED = 128  # and the signal's number: what became of the store is then not known
# What another airstore finds out for itself, or belongs to a process: caches, half-written files, locks.
_LEFT_OUT = ("index.sqlite*", REMEMBERED, "*.lock", "lock", ".tmp-*")


@frozen
class InstallStep:
    """One object, or the store.

    Attributes:
        state: ``create``, ``change`` or ``same`` as the API server would do it.
    """

    what: str
    state: str


def plan_install(cluster: ApplierCluster, applier: Applier) -> list[InstallStep]:
    """What an install would do to each object; the API server is asked, nothing is changed.

    Raises:
        TransferError: the API server refused or cannot be reached.
    """
    objects = cluster.objects
    return [InstallStep(describe(each), _state(objects, each)) for each in applier.documents]


def install(cluster: ApplierCluster, applier: Applier, store: StoreDirectory, site: SiteFile) -> bool:
    """Make the applier, wait for it, and give it the store if it has none; run again, it resumes.

    Returns:
        Whether the store was sent.

    Raises:
        UsageError: a run has not ended, or the applier has another site's store or one that went its own way.
        ConflictError: somebody else manages one of the objects.
        TransferError: the API server refused, the pod did not become ready, or the store did not arrive.
    """
    _check_settled(store, site)
    with store.locked():
        settings, objects = applier.settings, cluster.objects
        _check_same(cluster, settings, store)
        for document in applier.documents:
            cluster.say(f"apply: {describe(document)}")
            objects.apply(document)
        _let_pull(objects, settings, store, site)
        sent = _await(cluster, settings, lambda pod: _send_store(cluster, settings, store, pod))
        if not has_arrived(store):
            waiting = ReadinessWait(cluster.say, cluster.timeout, "the applier", _PUSHED)
            while not sent and (why := _check_same(cluster, settings, store)):
                waiting.wait(why)
            mark(store, _moved(cluster, settings), cluster.now, arrived=True)
    return sent


def _check_settled(store: StoreDirectory, site: SiteFile) -> None:
    end_it = "end it first: `airstore apply` or `airstore rollback`"
    refuse_unfinished(store, unfinished(Runs(store).directory), end_it)
    if store.anchor and not config_map_of(store.anchor):  # a file is not there
        raise UsageError(
            f"this store has its anchor at {store.anchor}, which the applier could not move on",
            hint="have it in the cluster, `airstore anchor set configmap:NAMESPACE/NAME`, or apply from here",
        )
    for named in site.registry.files:
        if not site.path(named).resolve().is_relative_to(store.path.resolve()):
            raise UsageError(
                f"{site.name} names {named} outside of the store, where the applier cannot see it",
                hint=f"keep it in {store.path}",
            )


def _let_pull(objects: Objects, settings: ApplierSettings, store: StoreDirectory, site: SiteFile) -> None:
    """The applier's own image is pulled from the site's registry like every other."""
    if login := pull_login(store, site):
        let_pull(objects, login, settings.namespace)


def _await(cluster: ApplierCluster, settings: ApplierSettings, send: Callable[[str], None]) -> bool:
    workloads, sent = Workloads(cluster.objects), False
    waiting = ReadinessWait(cluster.say, cluster.timeout, "the applier", _PUSHED)
    while why := workloads.ready(WorkloadGate("deployment", settings.name), settings.namespace):
        # Each pod's init container runs for a moment, whatever the volume holds: that it runs says nothing.
        pod = "" if sent else running_pod(cluster, settings, make.WAITING)
        try:
            if pod and not has_store(cluster, settings, pod, make.WAITING):
                send(pod)
                sent = True
                waiting.renew()
                continue
        except SilentContainerError as fault:
            why = f"{why}; {fault}"
        waiting.wait(why)
    return sent


def _send_store(cluster: ApplierCluster, settings: ApplierSettings, store: StoreDirectory, pod: str) -> None:
    if has_arrived(store):
        raise UsageError(
            f"{_volume(settings)} is empty, but had the store; {store.path} may be behind it by now",
            hint="give the volume its store again; only if that is lost for good, delete"
            f" {store.layout.applier} to send this copy",
        )
    # Marked first: if we are killed while it arrives, nobody applies with this one unaware of the other.
    mark(store, _moved(cluster, settings), cluster.now, arrived=False)
    cluster.say(f"store: {store.path} to pod {settings.namespace}/{pod}")
    files = files_of(store.path, travels)
    code = send(cluster, settings, store.path, files, (pod, make.WAITING, "store"))
    if code > _KILLED:
        cluster.say(
            f"  its container ended meanwhile (exit code {code}); waiting for it to start with the store"
        )
    elif code:
        unmark(store)
        raise TransferError(
            f"the applier did not take the store in: exit code {code}",
            hint="it says why above; nothing is lost",
        )


def _check_same(cluster: ApplierCluster, settings: ApplierSettings, store: StoreDirectory) -> str | None:
    """A volume that has a store already: of this site, and with everything that was done from here.

    Returns:
        Why that is not known, such as a pod that starts or ends just now; None: it is so.
    """
    if has_arrived(store):
        return None
    pod = running_pod(cluster, settings, make.CONTAINER)
    if not pod:
        return "its pod does not run, so that nobody knows which store it has"
    command = ["airstore", "-C", make.STORE, "applier", "descends", store.name, ledger_tip(store) or ""]
    where = Container(settings.namespace, pod, make.CONTAINER)
    try:
        code = execute(cluster.connection, where, command, cluster.write)
    except TransferError as fault:
        return str(fault)
    if code > _KILLED:
        return f"its container ended (exit code {code})"
    if code:
        raise UsageError(
            f"{_volume(settings)} holds another store, not {store.path}",
            hint="use the store it came from; or delete that volume, if what it holds is not needed",
        )
    return None


def _volume(settings: ApplierSettings) -> str:
    return f"the applier's volume {settings.namespace}/{settings.name}"


def _state(objects: Objects, document: dict[str, Any]) -> str:
    before = objects.live(document)
    if before is None:
        return "create"
    after = objects.apply(document, dry_run=True)
    return "same" if _settled(before) == _settled(after) else "change"


def _settled(document: dict[str, Any]) -> dict[str, Any]:
    named = {key: document["metadata"].get(key) for key in ("name", "labels", "annotations")}
    return {key: named if key == "metadata" else value for key, value in document.items() if key != "status"}


def _moved(cluster: ApplierCluster, settings: ApplierSettings) -> Moved:
    return Moved(cluster.connection.server, settings.namespace, settings.name)


def travels(path: PurePosixPath) -> bool:
    """Whether a path of the store is sent: not what is rebuilt there, nor what is of this one alone."""
    if path.parts[0] == _MARKER or (path.parts[0] == "tmp" and len(path.parts) > 1):
        return False
    return not any(path.match(pattern) for pattern in _LEFT_OUT)
