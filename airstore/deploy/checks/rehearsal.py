"""Asking the API server before anything is stopped or changed: every object, and a pod of every workload.

A dry run of a Deployment asks neither PodSecurity nor a quota: those see the pods, which its controller
makes later. So a pod of each workload is asked for, too. What the server says is judged here: some refusals
are only those of a cluster in which the release is not there yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from airstore.core.excerpt import excerpt
from airstore.core.frozen import frozen
from airstore.core.kube.documents import Document
from airstore.core.kube.dryruns import Change, Refusal
from airstore.deploy.checks.crowd import Batch, crowded
from airstore.deploy.checks.immutable import is_replaceable
from airstore.deploy.checks.pods import makes_more, pod_of, references
from airstore.deploy.model.protocols import Rehearsing
from airstore.deploy.model.target import ReleaseTarget, is_deleted_first, is_hook, object_name
from airstore.deploy.plan import crds

OWNER = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_NO_DRY_RUN = re.compile(r"does not support dry ?run", re.IGNORECASE)
_NO_NAMESPACE = re.compile(r'namespaces "[^"]*" not found')
# Who may not make pods himself may have them made; and a new namespace's account comes a moment after it.
_NOT_ASKED = re.compile(r"^pods is forbidden: User |error looking up service account \S+/default:")
_WEBHOOK = re.compile(r'failed calling webhook "([^"]+)"')
_QUOTA = re.compile(r"exceeded quota: ([^,]+),")
_RANGE = re.compile(r"(maximum|minimum) \S+ usage per|\S+ max limit to request ratio per")
_WORDS = 800  # characters of the API server's
_ENFORCED = "pod-security.kubernetes.io/enforce"


class RehearsalCluster(Rehearsing, Protocol):
    """What is asked of a cluster."""

    def live(self, document: Document, namespace: str) -> dict[str, Any] | None:
        """The live object of the document's apiVersion, kind and name; None where there is none."""


@frozen
class Move:
    """One Helm release that is about to be installed, in this order among others.

    Attributes:
        target: the Helm release.
        documents: what is installed, hooks included, Secrets in plain text.
        before: what is installed now.
        applied: Helm applies it on the server.
        back: of a rollback, which stops what runs before it installs: no quota is exceeded by that.
    """

    target: ReleaseTarget
    documents: tuple[Document, ...] = field(repr=False)
    before: tuple[Document, ...] = field(repr=False)
    applied: bool
    back: bool = False


@frozen
class RehearsalFinding:
    """Something that the API server would refuse."""

    move: Move
    what: str
    words: str

    def __str__(self) -> str:
        way = f"going back to {self.move.target.version}: " if self.move.back else ""
        return f"{self.move.target.running.key}: {way}{self.what}: {excerpt(self.words, _WORDS)}"


@frozen
class Rehearsed:
    """What came of it.

    Attributes:
        findings: what would be refused.
        replaced: objects that cannot become what they shall be, and can be deleted and made again.
    """

    findings: tuple[RehearsalFinding, ...]
    replaced: tuple[Document, ...]


def rehearse(cluster: RehearsalCluster, moves: Sequence[Move], *, pods: bool = True) -> dict[str, Rehearsed]:
    """Ask for everything that Helm releases consist of; nothing changes.

    Args:
        cluster: is asked.
        moves: Helm releases in the order in which they are installed.
        pods: ask for a pod of each workload, too.

    Returns:
        Key of the Helm release to what was found.

    Raises:
        TransferError: the API server did not answer.
    """
    coming = _Coming.of(moves)
    found = [_Rehearsal(cluster, move, coming, pods).run() for move in moves]
    for index, words in _crowded(cluster, moves, coming) if pods else ():
        if not any(_QUOTA.search(each.words) for each in found[index].findings):
            finding = RehearsalFinding(moves[index], "its pods, all of them together", words)
            found[index] = replace(found[index], findings=(*found[index].findings, finding))
    return {move.target.running.key: each for move, each in zip(moves, found, strict=True)}


def _crowded(cluster: RehearsalCluster, moves: Sequence[Move], coming: _Coming) -> Iterator[tuple[int, str]]:
    batches = [
        Batch(move.documents, move.before, move.target.namespace, rolling=not move.back) for move in moves
    ]
    for index, words in crowded(cluster, batches):
        if not coming.excuses(Refusal(403, words), moves[index].target.namespace):
            yield index, words


@frozen
class _Coming:
    """What the Helm releases bring: refusals because of its absence, or its old form, say nothing.

    Attributes:
        objects: kind and name.
        kinds: group and kind that their definitions make.
        webhooks: names.
        bounded: namespaces whose LimitRange or level of PodSecurity they set.
    """

    objects: frozenset[tuple[str, str]]
    kinds: frozenset[tuple[str, str]]
    webhooks: frozenset[str]
    bounded: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, moves: Sequence[Move]) -> _Coming:
        documents = [(move.target.namespace, each) for move in moves for each in move.documents]
        return cls(
            frozenset((str(each.get("kind")), object_name(each)) for _, each in documents),
            frozenset(_defined(each) for _, each in documents if each.get("kind") == crds.KIND),
            frozenset(str(hook.get("name")) for _, each in documents for hook in each.get("webhooks") or ()),
            frozenset(bound for where, each in documents for bound in _bounds(each, where)),
        )

    def excuses(self, refusal: Refusal, namespace: str) -> bool:
        """Whether the refusal is one of a cluster in which this is not there yet."""
        webhook, quota = _WEBHOOK.search(refusal.message), _QUOTA.search(refusal.message)
        return (
            bool(webhook and webhook[1] in self.webhooks)
            or bool(quota and ("ResourceQuota", quota[1]) in self.objects)
            or bool(_RANGE.search(refusal.message) and ("LimitRange", namespace) in self.bounded)
            or ("violates PodSecurity" in refusal.message and ("Namespace", namespace) in self.bounded)
        )


def _defined(definition: Document) -> tuple[str, str]:
    spec = definition.get("spec") or {}
    return str(spec.get("group")), str((spec.get("names") or {}).get("kind"))


def _bounds(document: Document, namespace: str) -> Iterator[tuple[str, str]]:
    metadata = document.get("metadata") or {}
    if document.get("kind") == "LimitRange":
        yield "LimitRange", str(metadata.get("namespace") or namespace)
    if document.get("kind") == "Namespace" and _ENFORCED in (metadata.get("labels") or {}):
        yield "Namespace", object_name(document)


@dataclass
class _Rehearsal:
    cluster: RehearsalCluster
    move: Move
    coming: _Coming
    pods: bool
    findings: list[RehearsalFinding] = field(default_factory=list)
    replaced: list[Document] = field(default_factory=list)

    def run(self) -> Rehearsed:
        before = {_identity(each): each for each in self.move.before}
        for document in self.move.documents:
            if document.get("kind") and document.get("apiVersion"):
                self._ask(document, before.get(_identity(document)))
        return Rehearsed(tuple(self.findings), tuple(self.replaced))

    def _ask(self, document: Document, before: Document | None) -> None:
        if _group_kind(document) in self.coming.kinds:
            return  # judged by the definition that comes with it, which the server has not got yet
        refusal = self.cluster.rehearse(self._change(document, before))
        if refusal and refusal.fixed and is_deleted_first(document):
            pass  # a failed migration's Job, say, which Helm deletes before it makes the next one
        elif refusal and refusal.fixed and is_replaceable(document):
            self.replaced.append(document)
        elif refusal:
            self._judge(document, refusal)
            return
        self._ask_pod(document, before)

    def _change(self, document: Document, before: Document | None) -> Change:
        target, live = self.move.target, None
        if document.get("kind") == crds.KIND:
            live = self.cluster.live(document, target.namespace)
        sent = crds.additive(dict(document), live) if live else document
        owner = dict(zip(OWNER, (target.name, target.namespace), strict=True))
        return Change(sent, target.namespace, owner, before, self.move.applied or live is not None)

    def _judge(self, document: Document, refusal: Refusal) -> None:
        # A program of a Helm release that comes before may define kinds; then only Helm can tell.
        absent = refusal.status == 0 and bool(self.move.target.helm.needs)
        makes_room = is_deleted_first(document) and _QUOTA.search(refusal.message) and self._live(document)
        if absent or makes_room or self._excused(refusal, self._where(document)):
            return
        held = _left(document) if refusal.fixed else ""
        self.findings.append(RehearsalFinding(self.move, describe(document), f"{refusal.message}{held}"))

    def _ask_pod(self, document: Document, before: Document | None) -> None:
        where, pod = self._where(document), pod_of(document)
        if pod is None or not self.pods:
            return
        for name in [name for name, needed in references(pod) if self._comes(needed, where)]:
            del pod["spec"][name]
        refusal = self.cluster.rehearse_pod(pod, where)
        if refusal is None or _NOT_ASKED.search(refusal.message) or self._excused(refusal, where):
            return
        if _QUOTA.search(refusal.message) and not self._more(document, before):
            return
        self.findings.append(RehearsalFinding(self.move, f"{describe(document)}: its pods", refusal.message))

    def _comes(self, needed: Document, namespace: str) -> bool:
        """Whether an object is one that the Helm releases bring, and not there yet."""
        key = str(needed["kind"]), object_name(needed)
        return key in self.coming.objects and self.cluster.live(needed, namespace) is None

    def _more(self, document: Document, before: Document | None) -> bool:
        return not self.move.back and makes_more(document, before, self._live(document))

    def _excused(self, refusal: Refusal, namespace: str) -> bool:
        not_yet = _NO_NAMESPACE.search(refusal.message) or _NO_DRY_RUN.search(refusal.message)
        return bool(not_yet) or refusal.status == 404 or self.coming.excuses(refusal, namespace)

    def _live(self, document: Document) -> dict[str, Any] | None:
        return self.cluster.live(document, self.move.target.namespace) if object_name(document) else None

    def _where(self, document: Document) -> str:
        return str((document.get("metadata") or {}).get("namespace") or self.move.target.namespace)


def _left(document: Document) -> str:
    """Why an object that cannot be changed is not made again."""
    if is_hook(document):
        return "; it was left by an earlier run of this hook, whose helm.sh/hook-delete-policy lets it stay"
    return "; it may hold data, so it is not replaced"


def _identity(document: Document) -> tuple[str, ...]:
    metadata: Mapping[str, Any] = document.get("metadata") or {}
    group = str(document.get("apiVersion") or "").rpartition("/")[0]
    return group, str(document.get("kind")), str(metadata.get("namespace") or ""), object_name(document)


def _group_kind(document: Document) -> tuple[str, str]:
    return str(document.get("apiVersion") or "").rpartition("/")[0], str(document.get("kind"))


def describe(document: Document) -> str:
    """What messages call an object: its kind and name."""
    return f"{document.get('kind')} {object_name(document)}"
