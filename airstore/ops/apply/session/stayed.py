"""What a rollback does not touch is of the revision that it was, whatever the older state has kept of it."""

from __future__ import annotations

from airstore.ops.apply.session.installations import Installations
from airstore.ops.apply.session.runs import RunPlan


def keep(installations: Installations, plan: RunPlan) -> None:
    """Have the older state of a rollback say which revisions of Helm it now has.

    It may have kept earlier ones: another rollback has installed the same again since then, and without this
    they would count as changed by hand.

    Raises:
        DamagedError: what was kept does not read.
    """
    newer, older = ({each.key: each for each in side} for side in (plan.new, plan.old))
    for key in (key for key, action, _ in plan.items if action == "unchanged"):
        kept = installations.kept(newer[key])
        if kept and older[key].values:
            installations.keep(older[key], kept)
