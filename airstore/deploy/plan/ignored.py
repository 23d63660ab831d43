"""What is no drift although it differs: rules of the product and of the site, in the words of Flux. Pure.

Source: fluxcd/helm-controller, ``spec.driftDetection.ignore``: JSON pointers (RFC 6901) into objects that a
target selects by group, version, kind, namespace and name. There these are regular expressions, here patterns
with ``*`` and ``?`` as everywhere else in a product file: a plain name means the same in both.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Any

from airstore.core.frozen import frozen
from airstore.core.kube.documents import Document

Pointer = tuple[str, ...]

_AUTOSCALER = "HorizontalPodAutoscaler"
_REPLICAS: Pointer = ("spec", "replicas")


@frozen
class Rule:
    """Fields to ignore.

    Attributes:
        paths: into the object; the empty one is the whole object.
        target: selector name to pattern; none selects every object.
    """

    paths: tuple[Pointer, ...]
    target: Mapping[str, str] = field(default_factory=dict, hash=False)

    def selects(self, document: Document, namespace: str) -> bool:
        """Whether the rule is about this object."""
        group, _, version = str(document.get("apiVersion") or "").rpartition("/")
        metadata = document.get("metadata") or {}
        facts = {
            "group": group,
            "version": version,
            "kind": str(document.get("kind") or ""),
            "namespace": str(metadata.get("namespace") or namespace),
            "name": str(metadata.get("name") or ""),
        }
        return all(fnmatchcase(facts[name], pattern) for name, pattern in self.target.items())


def read_rules(written: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules as the product file and the site file write them; their schemas have checked the form."""
    return tuple(
        Rule(tuple(_pointer(str(path)) for path in each["paths"]), each.get("target") or {})
        for each in written
    )


def autoscaled(documents: Sequence[Document]) -> Iterator[Rule]:
    """A rule for the replicas of each workload that an autoscaler among the documents scales."""
    for document in documents:
        if document.get("kind") == _AUTOSCALER:
            scaled = (document.get("spec") or {}).get("scaleTargetRef") or {}
            # Names of objects hold no characters that mean something in a pattern.
            yield Rule((_REPLICAS,), {key: str(scaled.get(key)) for key in ("kind", "name")})


def is_ignored(document: Document, namespace: str, rules: Iterable[Rule]) -> bool:
    """Whether the object as a whole is ignored."""
    return any(() in rule.paths and rule.selects(document, namespace) for rule in rules)


def as_live(document: Document, live: Document, namespace: str, rules: Iterable[Rule]) -> dict[str, Any]:
    """The document with what is ignored as it is in the cluster: it neither differs nor is changed."""
    result = copy.deepcopy(dict(document))
    for rule in rules:
        if rule.selects(document, namespace):
            for path in rule.paths:
                _take(result, live, path)
    return result


def _pointer(text: str) -> Pointer:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def _take(result: Any, live: Any, path: Pointer) -> None:
    *parents, last = path or ("",)
    for part in parents:
        result, live = _child(result, part), _child(live, part)
        if result is None:
            return
    value = _child(live, last)
    if isinstance(result, dict):
        if value is not None:
            result[last] = copy.deepcopy(value)
        else:
            result.pop(last, None)
    elif isinstance(result, list) and last.isdigit() and int(last) < len(result) and value is not None:
        result[int(last)] = copy.deepcopy(value)


def _child(node: Any, part: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(part)
    if isinstance(node, list) and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    return None
