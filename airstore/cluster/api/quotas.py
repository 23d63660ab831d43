"""Whether pods would fit into the ResourceQuotas of a namespace, several of them at once.

A dry run asks for one pod. This reckons with what the API server says of each quota, as its controller does;
pods are counted as their templates and the namespace's LimitRanges say. Quotas of priority classes, and what
a webhook adds to pods, are left to the dry run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from kubernetes.utils import parse_quantity

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import ApiError
from airstore.core.kube.documents import Document
from airstore.core.kube.dryruns import Demand

_FORBIDDEN = 403
_PODS = frozenset({"pods", "count/pods"})
_ASKED = frozenset({"cpu", "memory", "ephemeral-storage"})  # a quota's short names for requests
_REQUESTS, _LIMITS = "requests.", "limits."


def lacking(objects: Objects, demands: Sequence[Demand], namespace: str) -> str | None:
    """Which quota has no room for all of this together, in words; None where each has, or may not be read.

    Raises:
        TransferError: the server cannot be reached.
    """
    try:
        quotas = list(objects.list("v1", "ResourceQuota", namespace))
        ranges = list(objects.list("v1", "LimitRange", namespace)) if quotas else []
    except ApiError as fault:
        if fault.status == _FORBIDDEN:
            return None
        raise
    defaults = _defaults(ranges)
    return next((words for quota in quotas for words in _exceeded(quota, demands, defaults)), None)


def _exceeded(quota: Document, demands: Sequence[Demand], defaults: Document) -> Iterator[str]:
    scopes, status = _scopes(quota), quota.get("status") or {}
    if scopes is None:
        return
    counted = [each for each in demands if all(_SCOPES[scope](each.pod) for scope in scopes)]
    for resource, text in (status.get("hard") or {}).items():
        more = sum((each.count * _amount(each.pod, resource, defaults) for each in counted), Decimal())
        used = (status.get("used") or {}).get(resource, "0")
        if more > 0 and _number(used) + more > _number(text):
            name = quota["metadata"]["name"]
            yield f"exceeded quota: {name}, needed: {resource}={_plain(more)}, used: {used}, limited: {text}"


def _scopes(quota: Document) -> list[str] | None:
    """What a quota is for; None where this cannot tell."""
    spec = quota.get("spec") or {}
    if spec.get("scopeSelector") or not set(spec.get("scopes") or ()) <= _SCOPES.keys():
        return None
    return list(spec.get("scopes") or ())


def _ends(pod: Document) -> bool:
    return (pod.get("spec") or {}).get("activeDeadlineSeconds") is not None


def _best_effort(pod: Document) -> bool:
    resources = [each.get("resources") or {} for each in _containers(pod)]
    return not any(each.get("requests") or each.get("limits") for each in resources)


_SCOPES: dict[str, Callable[[Document], bool]] = {
    "Terminating": _ends,
    "NotTerminating": lambda pod: not _ends(pod),
    "BestEffort": _best_effort,
    "NotBestEffort": lambda pod: not _best_effort(pod),
}


def _amount(pod: Document, resource: str, defaults: Document) -> Decimal:
    """How much of a quota's resource one pod takes."""
    if resource in _PODS:
        return Decimal(1)
    if resource.startswith(_LIMITS):
        return _total(pod, "limits", resource.removeprefix(_LIMITS), defaults)
    if resource in _ASKED or resource.startswith(_REQUESTS):
        return _total(pod, "requests", resource.removeprefix(_REQUESTS), defaults)
    return Decimal()  # of other objects


def _total(pod: Document, kind: str, name: str, defaults: Document) -> Decimal:
    """Containers run together; those that only begin run before them, one at a time."""
    spec = pod.get("spec") or {}
    main = sum((_of(each, kind, name, defaults) for each in spec.get("containers") or ()), Decimal())
    first = [_of(each, kind, name, defaults) for each in spec.get("initContainers") or ()]
    return max(main, *first) if first else main


def _of(container: Document, kind: str, name: str, defaults: Document) -> Decimal:
    resources = container.get("resources") or {}
    given = [resources.get(kind) or {}]
    given += [resources.get("limits") or {}] if kind == "requests" else []
    given.append(defaults[kind])
    return next((_number(each[name]) for each in given if name in each), Decimal())


def _defaults(ranges: Iterable[Document]) -> dict[str, dict[str, Any]]:
    """What containers get that say nothing."""
    items = [item for each in ranges for item in (each.get("spec") or {}).get("limits") or ()]
    found: dict[str, dict[str, Any]] = {"requests": {}, "limits": {}}
    for item in (item for item in items if item.get("type") == "Container"):
        found["limits"] |= item.get("default") or {}
        found["requests"] |= item.get("defaultRequest") or {}
    return found


def _containers(pod: Document) -> list[Document]:
    spec = pod.get("spec") or {}
    return [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]


def _number(quantity: object) -> Decimal:
    return Decimal(parse_quantity(str(quantity)))  # type: ignore[no-untyped-call]  # kubernetes has no types


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
