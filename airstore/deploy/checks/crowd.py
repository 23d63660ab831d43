"""Pods that Helm releases will have more than now, all together: no dry run counts them for a quota."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from airstore.core.frozen import frozen
from airstore.core.kube.documents import Document
from airstore.core.kube.dryruns import Demand
from airstore.deploy.checks.pods import makes_more, pod_of, wanted_pods
from airstore.deploy.model.target import is_hook, object_name

_Found = Sequence[tuple[Document, Document | None]]
"""Documents of a batch, each with the live object that it is about."""


class CrowdedCluster(Protocol):
    """What is asked of a cluster."""

    def live(self, document: Document, namespace: str) -> Document | None:
        """The live object of the document's apiVersion, kind and name; None where there is none."""

    def crowded(self, demands: Sequence[Demand], namespace: str) -> str | None:
        """Which quota has no room for all of this together, in words; None where each has."""


@frozen
class Batch:
    """What one Helm release installs, in one go.

    Attributes:
        documents: with their workloads.
        before: what is installed now; what is not among the documents goes.
        namespace: of documents that name none.
        rolling: pods that run are replaced one after another, and not stopped before.
    """

    documents: Sequence[Document] = field(repr=False)
    before: Sequence[Document] = field(repr=False)
    namespace: str
    rolling: bool


def crowded(cluster: CrowdedCluster, batches: Sequence[Batch]) -> Iterator[tuple[int, str]]:
    """Which quotas have no room for a number of Helm releases, and the index of the one that finds none.

    Forward each is asked for when it comes; on the way to an older release all are stopped before the first
    starts, so that only the end counts.

    Raises:
        TransferError: the API server did not answer.
    """
    growing: dict[str, list[Demand]] = defaultdict(list)
    for index, batch in enumerate(batches):
        found = [(document, _live(cluster, document, batch)) for document in batch.documents]
        for where, demand in (*_coming(found, batch), *_leaving(cluster, batch)):
            growing[where].append(demand)
        for where, surge in _asked(found, batch, growing, last=index + 1 == len(batches)).items():
            if words := cluster.crowded([*growing[where], *surge], where):
                yield index, words


def _asked(
    found: _Found,
    batch: Batch,
    growing: Mapping[str, object],
    *,
    last: bool,
) -> dict[str, list[Demand]]:
    """The namespaces whose quotas are asked about once a batch is there, and what comes on top meanwhile."""
    if not batch.rolling:
        return {where: [] for where in growing} if last else {}
    surges = dict(_surges(found, batch))
    places = {_where(each, batch) for each in batch.documents} & growing.keys()
    return {where: [Demand(surges[where], 1)] if where in surges else [] for where in places}


def _coming(found: _Found, batch: Batch) -> Iterator[tuple[str, Demand]]:
    """Pods of what is installed and, counted below none, those that it replaces."""
    for document, live in found:
        where, pod, count = _where(document, batch), pod_of(document), wanted_pods(document, live)
        if pod and count and not is_hook(document):
            yield where, Demand(pod, count)
        yield from _going(where, live)


def _leaving(cluster: CrowdedCluster, batch: Batch) -> Iterator[tuple[str, Demand]]:
    """Pods, counted below none, of what is not installed any more."""
    stays = {_identity(each, batch) for each in batch.documents}
    for document in batch.before:
        if _identity(document, batch) not in stays:
            yield from _going(_where(document, batch), _live(cluster, document, batch))


def _going(where: str, live: Document | None) -> Iterator[tuple[str, Demand]]:
    count = int(((live or {}).get("status") or {}).get("replicas") or 0)
    if live and count and (pod := pod_of(live)):
        yield where, Demand(pod, -count)


def _surges(found: _Found, batch: Batch) -> Iterator[tuple[str, Document]]:
    """A pod of each Deployment that makes the new one before an old one goes."""
    before = {_identity(each, batch): each for each in batch.before}
    for document, live in found:
        if document.get("kind") == "Deployment" and live and (pod := pod_of(document)):
            now = {"replicas": int((live.get("spec") or {}).get("replicas") or 0)}
            grown = {**document, "spec": {**(document.get("spec") or {}), **now}}
            if makes_more(grown, before.get(_identity(document, batch)), live):
                yield _where(document, batch), pod


def _live(cluster: CrowdedCluster, document: Document, batch: Batch) -> Document | None:
    scaled = document.get("kind") in {"Deployment", "StatefulSet", "ReplicaSet", "Job"}
    return cluster.live(document, batch.namespace) if scaled and object_name(document) else None


def _where(document: Document, batch: Batch) -> str:
    return str((document.get("metadata") or {}).get("namespace") or batch.namespace)


def _identity(document: Document, batch: Batch) -> tuple[str, str, str]:
    return str(document.get("kind")), _where(document, batch), object_name(document)
