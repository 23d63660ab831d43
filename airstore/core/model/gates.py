"""Health gates: what must be so before a Helm release counts as healthy; as product files write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.parsing.jsonpath import JsonPath

_WORKLOADS = ("deployment", "statefulset", "daemonset", "job")
_KINDS = (*_WORKLOADS, "http", "resource")
_TESTS = ("condition", "jsonPath")


@frozen
class WorkloadGate:
    """A workload that must be rolled out, or a Job that must have completed.

    Attributes:
        kind: ``deployment``, ``statefulset``, ``daemonset`` or ``job``.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@frozen
class HttpGate:
    """A URL inside the cluster that must answer with a status from 200 to 299."""

    url: str

    def __str__(self) -> str:
        return f"http {self.url}"


@frozen
class Condition:
    """A condition of an object's status that must be True, seen for its present generation."""

    type: str


@frozen
class ValueAt:
    """What must be found at a JSONPath, wherever it leads.

    Attributes:
        path: as ``kubectl wait`` has it.
        equals: text, a whole number or a truth value.
    """

    path: str
    equals: str | int | bool


@frozen
class ResourceGate:
    """An object of any kind, and what must be so of it.

    Attributes:
        namespace: None for the Helm release's.
    """

    api_version: str
    kind: str
    name: str
    namespace: str | None
    test: Condition | ValueAt

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Gate = WorkloadGate | HttpGate | ResourceGate


def parse_gate(entry: Mapping[str, Any]) -> Gate:
    """A gate that has passed the schema.

    Raises:
        UsageError: what the schema lets through: more than one gate or none, a JSONPath that is none.
    """
    kind = _only(_KINDS, entry, "")
    if kind == "http":
        return HttpGate(str(entry[kind]))
    if kind != "resource":
        return WorkloadGate(kind, str(entry[kind]))
    named, test = entry["resource"], _only(_TESTS, entry, "with resource, ")
    return ResourceGate(
        named["apiVersion"],
        named["kind"],
        named["name"],
        named.get("namespace"),
        Condition(entry[test]) if test == "condition" else _value_at(entry),
    )


def _only(choices: tuple[str, ...], entry: Mapping[str, Any], when: str) -> str:
    given = [choice for choice in choices if choice in entry]
    if len(given) != 1:
        raise UsageError(f"{when}exactly one of {', '.join(choices)} must be given")
    return given[0]


def _value_at(entry: Mapping[str, Any]) -> ValueAt:
    JsonPath.parse(str(entry["jsonPath"]))
    return ValueAt(str(entry["jsonPath"]), entry["equals"])


def gate_to_json(gate: Gate) -> dict[str, Any]:
    """A gate as product files and ``release.json`` write it."""
    match gate:
        case HttpGate():
            return {"http": gate.url}
        case WorkloadGate():
            return {gate.kind: gate.name}
    named = {"apiVersion": gate.api_version, "kind": gate.kind, "name": gate.name}
    where = {} if gate.namespace is None else {"namespace": gate.namespace}
    match gate.test:
        case Condition():
            test: dict[str, Any] = {"condition": gate.test.type}
        case ValueAt():
            test = {"jsonPath": gate.test.path, "equals": gate.test.equals}
    return {"resource": {**named, **where}, **test}
