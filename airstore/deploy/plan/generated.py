"""Values that a chart makes up each time it is rendered, told apart by rendering it twice. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airstore.core.kube.documents import Document
from airstore.core.parsing import yamlfile
from airstore.deploy.plan.crds import KIND as DEFINITION
from airstore.history.ledger import Running

Identity = tuple[str, str, str, str]


def identity(document: Document, namespace: str) -> Identity:
    """What makes two documents the same object."""
    metadata = document.get("metadata") or {}
    where = str(metadata.get("namespace") or namespace)
    return str(document.get("apiVersion")), str(document.get("kind")), where, str(metadata.get("name"))


def alike_but_generated(
    installed: Sequence[Document], first: Sequence[Document], second: Sequence[Document], namespace: str
) -> bool:
    """Whether what is installed is what a chart renders to, but for what is another value each time.

    Args:
        installed: objects as Helm keeps them.
        first: rendered now.
        second: rendered a second time.
        namespace: where documents say none.
    """
    sides = [{identity(each, namespace): each for each in side} for side in (installed, first, second)]
    if not sides[0].keys() == sides[1].keys() == sides[2].keys():
        return False
    return all(_alike(*(side[key] for side in sides)) for key in sides[0])


def adopted_alike(
    adopted: Iterable[Running], first: Sequence[Running], second: Sequence[Running]
) -> Iterator[str]:
    """Keys of what somebody else installed just as a release would, but for generated values.

    Args:
        adopted: as it is installed.
        first: the release, rendered now.
        second: rendered a second time.
    """
    one, other = ({each.key: each for each in side} for side in (first, second))
    for each in adopted:
        if each.key in one:
            sides = _objects(each), _objects(one[each.key]), _objects(other[each.key])
            if alike_but_generated(*sides, each.namespace):
                yield each.key


def generated_secrets(
    first: Iterable[Document], second: Iterable[Document], namespace: str
) -> Iterator[tuple[Document, str]]:
    """Each Secret of the first rendering, and a key of it whose value is another one in the second."""
    again = {identity(each, namespace): each for each in second}
    for document in first:
        if document.get("kind") != "Secret":
            continue
        other = again.get(identity(document, namespace), {})
        for part in ("data", "stringData"):
            values, others = document.get(part) or {}, other.get(part) or {}
            yield from ((document, key) for key in values if values[key] != others.get(key))


def _objects(running: Running) -> list[Document]:
    found = yamlfile.load_manifests(running.rendered, f"manifests of {running.name}")
    return [each for each in found if isinstance(each, dict) and each.get("kind") != DEFINITION]


def _alike(installed: Any, first: Any, second: Any) -> bool:
    if all(isinstance(each, Mapping) for each in (installed, first, second)):
        same = installed.keys() == first.keys() == second.keys()
        return same and all(_alike(installed[key], first[key], second[key]) for key in first)
    if all(isinstance(each, list) for each in (installed, first, second)):
        same = len(installed) == len(first) == len(second)
        return same and all(map(_alike, installed, first, second))
    return bool(installed == first or first != second)
