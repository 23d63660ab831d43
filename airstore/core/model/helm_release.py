"""One Helm release of the product, as product files and ``release.json`` write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from airstore.core.frozen import frozen
from airstore.core.model.gates import Gate, gate_to_json, parse_gate


@frozen
class HelmRelease:
    """One Helm release of the product, in the order of the product file.

    Attributes:
        chart: name of a `Chart` of the release.
        values: paths of values files in the release's tree, later ones win.
        bind: chart value path to site variable, such as ``ingress.host`` to ``site.hostname``.
        needs: names of Helm releases that come before.
        timeout: as Helm writes durations.
        hooks: hook name to path in the release's tree.
        health: what must be so before it counts as healthy.
        references: ``rewrite`` where rendered image references are rewritten to the site's registry, else
            ``keep``: bindings or the nodes' mirrors lead there.
        ignore: what is no drift, rules as the product file writes them.
        fail_fast: a wait ends early where no time will cure what is seen.
    """

    name: str
    namespace: str
    chart: str
    values: tuple[str, ...] = ()
    bind: Mapping[str, str] = field(default_factory=dict, hash=False)
    needs: tuple[str, ...] = ()
    timeout: str = "5m"
    hooks: Mapping[str, str] = field(default_factory=dict, hash=False)
    health: tuple[Gate, ...] = ()
    references: str = "keep"
    ignore: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    fail_fast: bool = True


def helm_to_json(helm: HelmRelease) -> dict[str, Any]:
    """A Helm release as ``release.json`` writes it."""
    return {
        "name": helm.name,
        "namespace": helm.namespace,
        "chart": helm.chart,
        "values": list(helm.values),
        "bind": dict(helm.bind),
        "needs": list(helm.needs),
        "timeout": helm.timeout,
        "hooks": dict(helm.hooks),
        "health": [gate_to_json(gate) for gate in helm.health],
        # Left out where nothing is said: releases made before there was a choice stay the same bytes.
        **({} if helm.references == "keep" else {"references": helm.references}),
        **({"drift": {"ignore": [dict(rule) for rule in helm.ignore]}} if helm.ignore else {}),
        **({} if helm.fail_fast else {"failFast": False}),
    }


def helm_from_json(entry: Mapping[str, Any]) -> HelmRelease:
    """A Helm release as product files and ``release.json`` write it.

    Raises:
        UsageError: a health gate that is none, see `parse_gate`.
    """
    return HelmRelease(
        name=entry["name"],
        namespace=entry["namespace"],
        chart=entry["chart"],
        values=tuple(entry.get("values", ())),
        bind=dict(entry.get("bind", {})),
        needs=tuple(entry.get("needs", ())),
        timeout=entry.get("timeout", "5m"),
        hooks=dict(entry.get("hooks", {})),
        health=tuple(map(parse_gate, entry.get("health", ()))),
        references=entry.get("references", "keep"),
        fail_fast=entry.get("failFast", True),
        ignore=tuple(entry.get("drift", {}).get("ignore", ())),
    )
