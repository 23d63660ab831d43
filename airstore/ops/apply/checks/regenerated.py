"""Passwords that a chart would generate anew beside volumes that stay: said before it happens."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from airstore.core.parsing import yamlfile
from airstore.deploy.model.target import CLAIM, object_name
from airstore.deploy.plan.generated import generated_secrets, identity
from airstore.deploy.plan.plan import beside
from airstore.history.ledger import Running
from airstore.ops.apply.session.plan import Planned
from airstore.ops.apply.session.prepare import prepare_release
from airstore.ops.apply.session.session import ApplySession


def regenerated(
    session: ApplySession, planned: Planned, before: Mapping[str, Running]
) -> dict[str, tuple[str, ...]]:
    """Key to what an apply of this plan would generate anew, of Helm releases that have volumes.

    Args:
        session: store and cluster.
        planned: what would be applied.
        before: key to what is installed, or was before an uninstall that left the volumes.

    Raises:
        UsageError: a chart does not render.
    """
    wanted = {each.running.key: each.running for each in planned.wanted}
    changing = {step.key for step in planned.plan.steps if step.action in {"install", "change"}}
    pairs = {key: (before[key], wanted[key]) for key in changing & before.keys() & wanted.keys()}
    suspects = {key for key, (old, new) in pairs.items() if _has_volumes(new) and any(_differing(old, new))}
    if not suspects:
        return {}
    names = {wanted[key].name for key in suspects}
    again = prepare_release(
        session.store, session.blobs, session.rendering, session.file, planned.release, names
    )
    second = {each.running.key: each.running for each in again}
    found = {key: tuple(_warnings(*pairs[key], second[key])) for key in suspects}
    return {key: lines for key, lines in found.items() if lines}


def _warnings(old: Running, new: Running, again: Running) -> Iterator[str]:
    differing = set(_differing(old, replace(new, rendered=beside(new, old))))
    for document, key in generated_secrets(_objects(new), _objects(again), new.namespace):
        if (object_name(document), key) in differing:
            yield (
                f"its chart generates {key} of Secret {object_name(document)} anew, while its volumes stay: "
                "set the value in the site file if what is in them needs it"
            )


def _differing(old: Running, new: Running) -> Iterator[tuple[str, str]]:
    """Secret and key whose value was another one; both sides show digests only."""
    known = {identity(each, old.namespace): _values(each) for each in _secrets(old)}
    for each in _secrets(new):
        before = known.get(identity(each, new.namespace), {})
        yield from (
            (object_name(each), key)
            for key, value in _values(each).items()
            if key in before and before[key] != value
        )


def _values(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**(document.get("data") or {}), **(document.get("stringData") or {})}


def _secrets(running: Running) -> Iterable[dict[str, Any]]:
    return (each for each in _objects(running) if each.get("kind") == "Secret")


def _has_volumes(running: Running) -> bool:
    return any(
        each.get("kind") == CLAIM or (each.get("spec") or {}).get("volumeClaimTemplates")
        for each in _objects(running)
    )


def _objects(running: Running) -> Collection[dict[str, Any]]:
    found = yamlfile.load_manifests(running.rendered, f"manifests of {running.name}")
    return [each for each in found if isinstance(each, dict)]
