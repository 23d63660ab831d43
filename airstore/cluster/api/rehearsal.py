"""What the API server would say to Helm installing an object, asked by server-side dry runs.

Validation, admission, quotas and webhooks are all asked, and nothing changes. An object is sent the way the
next Helm call will send it, because the answer depends on that: a server-side apply drops what Helm's own
earlier apply had and this one has not, a patch has to say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airstore.cluster.api.drifting import HELM, owned, predict
from airstore.cluster.api.objects import NoSuchKindError, Objects
from airstore.cluster.api.transport.connection import ApiError
from airstore.core.kube.documents import Document
from airstore.core.kube.dryruns import Change, Refusal

_MERGE = "application/merge-patch+json"
_INVALID, _EXISTS, _FORBIDDEN = 422, 409, 403
_ELSEWHERE = frozenset({401, 429, 503, 504})  # nothing about the object


def rehearse(objects: Objects, change: Change) -> Refusal | None:
    """Why an object would not be installed; None if it would be.

    Raises:
        TransferError: the server cannot be reached, or does not know who we are.
    """
    document = owned(change.document, change.owner)
    try:
        live = objects.live(document, change.namespace) if document["metadata"].get("name") else None
        fault = _create(objects, document, change) if live is None else _update(objects, document, change)
    except NoSuchKindError as unknown:
        return Refusal(0, str(unknown))
    if fault is None:
        return None
    fixed = live is not None and _names_fields(fault) and _replaceable(objects, document, change.namespace)
    return _refused(fault, fixed=fixed)


def rehearse_pod(objects: Objects, pod: Document, namespace: str) -> Refusal | None:
    """Why a pod would not be made; None if it would be.

    Raises:
        TransferError: as `rehearse`.
    """
    fault = _post(objects, pod, namespace)
    return _refused(fault, fixed=False) if fault else None


def merge_patch(before: Document, after: Document) -> dict[str, Any]:
    """RFC 7396: what makes an object that is as ``before`` be as ``after``, and leaves what neither names."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            patch[key] = merge_patch(old, value)
        else:
            patch[key] = value
    return patch


def _create(objects: Objects, document: Document, change: Change) -> ApiError | None:
    if not change.applied or not document["metadata"].get("name"):
        return _post(objects, document, change.namespace)
    return _apply(objects, document, change.namespace)


def _update(objects: Objects, document: Document, change: Change) -> ApiError | None:
    if change.applied:
        return _apply(objects, document, change.namespace)
    before = change.before or {}
    names = {key: document[key] for key in ("apiVersion", "kind")}
    patch = {**merge_patch(before, document), **names}
    patch["metadata"] = {**patch["metadata"], "name": document["metadata"]["name"]}
    try:
        objects.patch(patch, _where(document, change), _MERGE, manager=HELM, dry_run=True)
    except ApiError as fault:
        # Helm merges lists by the keys of their entries where it knows them, this patch replaces them: only
        # what is refused either way is refused.
        return fault if _refuses(objects, document, change.namespace) else None
    return None


def _refuses(objects: Objects, document: Document, namespace: str) -> bool:
    try:
        return isinstance(predict(objects, document, namespace), ApiError)
    except ApiError:
        return True


def _where(document: Document, change: Change) -> str:
    return str(document["metadata"].get("namespace") or change.namespace)


def _apply(objects: Objects, document: Document, namespace: str) -> ApiError | None:
    try:
        objects.apply(document, namespace, force=True, dry_run=True, manager=HELM)
    except ApiError as fault:
        return fault
    return None


def _post(objects: Objects, document: Document, namespace: str) -> ApiError | None:
    """The answer to a creation; that there is one already is said last, when all is checked."""
    try:
        objects.create(document, namespace, dry_run=True, manager=HELM)
    except ApiError as fault:
        return None if fault.status == _EXISTS else fault
    return None


def _names_fields(fault: ApiError) -> bool:
    """Whether it is fields that are refused; a webhook or policy that refuses names none."""
    causes = (fault.details.get("details") or {}).get("causes") or ()
    return fault.status == _INVALID and any(cause.get("field") for cause in causes)


def _replaceable(objects: Objects, document: Document, namespace: str) -> bool:
    """Whether the server would take the object if there were none of its name."""
    fault = _post(objects, _unallocated(document), namespace)
    return fault is None or (fault.status == _FORBIDDEN and "exceeded quota" in str(fault))


def _unallocated(document: Document) -> Document:
    """Without addresses and ports that the object in its place has now."""
    spec = document.get("spec") or {}
    if document.get("kind") != "Service":
        return document
    kept = {key: value for key, value in spec.items() if key not in {"clusterIP", "clusterIPs"}}
    if spec.get("clusterIP") == "None":
        kept["clusterIP"] = "None"
    ports = [{key: port[key] for key in port if key != "nodePort"} for port in kept.get("ports") or ()]
    return {**document, "spec": {**kept, **({"ports": ports} if ports else {})}}


def _refused(fault: ApiError, *, fixed: bool) -> Refusal:
    if fault.status in _ELSEWHERE:
        raise fault
    return Refusal(fault.status, str(fault.details.get("message") or fault), fixed)
