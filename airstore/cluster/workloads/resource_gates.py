"""Health gates on an object of any kind: a condition of its status, or a value at a JSONPath. Pure."""

from __future__ import annotations

from airstore.core.kube.documents import Document
from airstore.core.model.gates import Condition, ValueAt
from airstore.core.parsing.jsonpath import JsonPath, as_text

_SHOWN = 120  # characters of a value


def judge(test: Condition | ValueAt, live: Document) -> str | None:
    """Why an object does not pass; None if it does."""
    if isinstance(test, Condition):
        return _condition(test.type, live)
    path, wanted = test.path, as_text(test.equals)
    found = [as_text(each) for each in JsonPath.parse(path).find(live)]
    if not found:
        return f"{path} is not there yet; {wanted!r} is awaited"
    other = next((each for each in found if each != wanted), None)
    return None if other is None else f"{path} is {other[:_SHOWN]!r}; {wanted!r} is awaited"


def _condition(kind: str, live: Document) -> str | None:
    generation = (live.get("metadata") or {}).get("generation") or 0
    status = live.get("status") or {}
    found = next((each for each in status.get("conditions") or () if each.get("type") == kind), None)
    if found is None:
        return f"it has no condition {kind} yet"
    seen = found.get("observedGeneration", status.get("observedGeneration", generation))
    if seen < generation:
        return f"its controller has not seen the change yet (condition {kind})"
    if found.get("status") == "True":
        return None
    why = ": ".join(str(found[key]) for key in ("reason", "message") if found.get(key))
    return f"condition {kind} is {found.get('status')}{f': {why}' if why else ''}"
