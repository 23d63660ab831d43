"""What Helm says of Helm releases now, and what somebody else than airstore did to them."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.model.target import ReleaseTarget
from airstore.ops.apply.session.session import ApplySession


def statuses(session: ApplySession, targets: Mapping[str, ReleaseTarget]) -> dict[str, HelmStatus]:
    """Key to what Helm says, for the Helm releases that exist."""
    found = {key: session.helm.status(target) for key, target in targets.items()}
    return {key: status for key, status in found.items() if status is not None}


def disturbed(
    session: ApplySession, targets: Mapping[str, ReleaseTarget], found: Mapping[str, HelmStatus]
) -> dict[str, str]:
    """Key to what somebody else than airstore did to a Helm release that airstore installed.

    Args:
        session: store and cluster.
        targets: what the ledger says runs.
        found: of `statuses`.
    """
    reasons = {key: _disturbed(session, target, found.get(key)) for key, target in targets.items()}
    return {key: reason for key, reason in reasons.items() if reason}


def _disturbed(session: ApplySession, target: ReleaseTarget, found: HelmStatus | None) -> str | None:
    if found is None:
        return "Helm no longer has it"
    if found.status != "deployed":
        return f"Helm says that it is {found.status}"
    kept = session.supplies.kept(target)
    if kept and kept.revision != found.revision:
        return f"revision {found.revision} was not installed by airstore, which left revision {kept.revision}"
    if kept and kept != session.helm.installed(target):
        return f"Helm's record of revision {found.revision} was changed"
    return None
