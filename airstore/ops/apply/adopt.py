"""Helm releases that somebody else installed become the product's; nothing is uninstalled.

What Helm's record says of one is kept like an installation of our own: its manifests with every generated
value, its values, its chart as far as the record holds it. So a rollback brings back the state before the
adoption.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airstore.charts.packages.literal import recorded_chart
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.parsing import yamlfile
from airstore.deploy.helm.kept import kept_record
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.model.redact import Redactor, secret_values
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.plan.plan import as_installed
from airstore.history import ledger
from airstore.history.ledger import ADOPTED, Running
from airstore.ops.apply.session.installations import Adopted
from airstore.ops.apply.session.session import ApplySession
from airstore.ops.stores.site import anchors, ledgers


def find_adopted(session: ApplySession, foreign: Mapping[str, ReleaseTarget]) -> tuple[Adopted, ...]:
    """What these Helm releases are, by Helm's own records; changes nothing.

    Raises:
        DamagedError: a record is not of Helm's form.
        TransferError: the cluster does not answer.
    """
    return tuple(_adoption(session, target) for target in foreign.values())


def not_adoptable(found: Mapping[str, HelmStatus]) -> Iterator[str]:
    """Why some of these cannot be adopted: only what Helm ended well is a state worth going back to."""
    for key, each in found.items():
        if each.status != "deployed":
            yield (
                f"{key} cannot be adopted: Helm says that it is {each.status}; bring it to a state that works"
                " first, with the procedure that installed it"
            )


def adopt(session: ApplySession, found: tuple[Adopted, ...]) -> tuple[Running, ...]:
    """Keep them and tell the ledger, which then knows them as what runs; returns all that runs.

    Raises:
        StorageError: the disk is full or failed; nothing is adopted.
    """
    run = session.runs.name(session.now())
    taken = tuple(session.installations.keep_adopted(run, each) for each in found)
    before = ledger.running(session.store.history)
    running = (*(before.running if before else ()), *taken)
    version = before.version if before else ADOPTED
    details: dict[str, str | int] = {each.running.key: each.kept.revision for each in found}
    details[ledger.KEPT] = " ".join(each.values for each in taken)
    entry = ledger.Entry("adopt", version, "succeeded", session.now(), details, running)
    anchors.record(session.store, entry)
    for each in found:
        session.say(f"adopted {each.running.key}: {each.kept.chart}, Helm's revision {each.kept.revision}")
    return running


def _adoption(session: ApplySession, target: ReleaseTarget) -> Adopted:
    record = session.helm.records.newest(target) or {}
    kept = kept_record(record)
    chart: Any = record["chart"]
    values = chart.get("values") if isinstance(chart, dict) else None
    try:
        packed = recorded_chart(chart["metadata"], values or {}, kept.stream)
    except (KeyError, TypeError) as fault:
        raise DamagedError(f"Helm's record of {target.running.key} is not of its form: {fault!r}") from fault
    named = Running(
        name=target.name,
        namespace=target.namespace,
        chart=str(chart["metadata"]["name"]),
        chart_version=str(chart["metadata"]["version"]),
        archive=str(Digest.of(packed)),
        rendered="",
    )
    given = record.get("config") or {}
    known = Redactor.of([given]).secrets | secret_values(kept.documents())
    return Adopted(
        as_installed(named, kept, ledgers.redaction(session.store)),
        kept,
        packed,
        yamlfile.dump(given).encode(),
        known,
    )
