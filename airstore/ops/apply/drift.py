"""How what runs differs from what was installed, and putting it back, by what was kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from airstore.core.errors import DeployError
from airstore.core.frozen import frozen
from airstore.deploy.checks.immutable import is_replaceable
from airstore.deploy.helm.kept import Kept
from airstore.deploy.model.target import ReleaseTarget, object_name
from airstore.deploy.plan.drift import differences
from airstore.deploy.plan.ignored import Rule, as_live, autoscaled, is_ignored, read_rules
from airstore.ops.apply.session.session import ApplySession

_OWNER = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")


@frozen
class Drift:
    """One object that is not as it was installed.

    Attributes:
        what: its kind and name.
        document: as it was installed, but for what is ignored.
        found: what differs, a field each.
        absent: it is not there at all.
        fixed: the API server refuses to change it back.
    """

    what: str
    document: dict[str, Any] = field(repr=False)
    found: tuple[str, ...]
    absent: bool = False
    fixed: bool = False

    @property
    def lines(self) -> list[str]:
        """What differs, for people."""
        return [f"{self.what}: {each}" for each in self.found]


def drift_of(session: ApplySession, target: ReleaseTarget) -> Iterator[Drift]:
    """Objects of a Helm release that are not as they were installed.

    Raises:
        TransferError: the cluster does not answer.
    """
    # What an older airstore installed was not kept; Helm's own record is what there is.
    kept = session.supplies.kept(target) or session.helm.installed(target)
    if kept is None:
        return
    rules = _rules(session, target, kept)
    for document in kept.documents():
        if not is_ignored(document, target.namespace, rules) and (
            found := _compare(session, target, document, rules)
        ):
            yield found


def put_back(session: ApplySession, target: ReleaseTarget, drift: Drift) -> None:
    """Have one object be as it was installed again.

    Raises:
        DeployError: it cannot be changed back, and holds data.
        TransferError: the API server refuses or does not answer.
    """
    owner = dict(zip(_OWNER, (target.name, target.namespace), strict=True))
    if drift.fixed:
        if not is_replaceable(drift.document):
            raise DeployError(
                f"{target.running.key}: {drift.lines[0]}; it may hold data, so it is not replaced"
            )
        session.cluster.remove(drift.document, target.namespace)
    session.cluster.put_back(drift.document, target.namespace, owner)


def _rules(session: ApplySession, target: ReleaseTarget, kept: Kept) -> tuple[Rule, ...]:
    ours = session.file.drift.get(target.name, ())
    return (*read_rules(target.helm.ignore), *read_rules(ours), *autoscaled(kept.documents()))


def _compare(
    session: ApplySession, target: ReleaseTarget, document: dict[str, Any], rules: tuple[Rule, ...]
) -> Drift | None:
    what = f"{document.get('kind')} {object_name(document)}"
    live = session.cluster.live(document, target.namespace)
    if live is None:
        return None if _ends(document) else Drift(what, document, ("absent",), absent=True)
    wanted = as_live(document, live, target.namespace, rules)
    predicted = session.cluster.predict(wanted, target.namespace)
    if isinstance(predicted, str):
        return Drift(what, wanted, (f"it cannot be changed back: {predicted}",), fixed=True)
    found = tuple(differences(live, predicted))
    return Drift(what, wanted, found) if found else None


def _ends(document: dict[str, Any]) -> bool:
    """Whether it goes by itself: a Job whose time to live is over has done its work."""
    return document.get("kind") == "Job" and "ttlSecondsAfterFinished" in (document.get("spec") or {})
