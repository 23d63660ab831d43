"""Where a site's store has gone to: the applier in the cluster has it, and this one must not apply any more.

Two stores that both apply would each have half of the ledger, and would put back what the other one changed.
"""

from __future__ import annotations

import datetime as dt
import shlex

from airstore.core.durable import write_file
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.parsing import strictjson
from airstore.core.parsing.checked import with_check
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.noted import noting
from airstore.ops.stores.site.records import read_applier


@frozen
class Moved:
    """The applier that has the store.

    Attributes:
        cluster: address of the API server.
        name: of its objects.
    """

    cluster: str
    namespace: str
    name: str


def mark(store: StoreDirectory, moved: Moved, now: int, *, arrived: bool) -> None:
    """Say that the store has gone, or is on its way.

    Raises:
        StorageError: the store cannot be written.
    """
    when = dt.datetime.fromtimestamp(now, dt.UTC).isoformat()
    where = {"cluster": moved.cluster, "name": moved.name, "namespace": moved.namespace}
    document = with_check({**where, "since": when, "arrived": arrived})
    with noting(store, store.layout.applier):
        write_file(store.layout.applier, strictjson.dumps(document), mode=0o644, disk=store.disk)


def unmark(store: StoreDirectory) -> None:
    """The store has not gone after all, or has come back."""
    with noting(store, store.layout.applier):
        store.layout.applier.unlink(missing_ok=True)


def has_arrived(store: StoreDirectory) -> bool:
    """Whether the store has gone and is known to have arrived."""
    return bool(read_applier(store).get("arrived"))


def refuse_marked(store: StoreDirectory, command: str) -> None:
    """Refuse what only the store in the cluster may do.

    Raises:
        UsageError: the applier in the cluster has the store.
    """
    found = read_applier(store)
    if not found:
        return
    words = shlex.join(["airstore", "-C", str(store.path), "applier", "run", "--", command])
    applier = f"{found.get('namespace')}/{found.get('name')} in the cluster {found.get('cluster')}"
    raise UsageError(
        f"the store of site {store.name} is with the applier {applier} since {found.get('since')}",
        hint=f"run it there: {words}",
    )
