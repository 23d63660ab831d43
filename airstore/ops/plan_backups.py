"""What an apply would back up first, said before it begins."""

from __future__ import annotations

from collections.abc import Collection

from airstore.deploy.ledger import is_release
from airstore.deploy.steps import Mode, Run, backed_up
from airstore.ops.directory import StoreDirectory
from airstore.ops.plan_site import Planned
from airstore.ops.runs import RunPlan, items, targets
from airstore.ops.trusted import trusted_release


def backups_of(store: StoreDirectory, planned: Planned, skipped: Collection[str] = ()) -> tuple[str, ...]:
    """Keys of the Helm releases that an apply of this plan would back up, but for those that are skipped."""
    running = tuple(each.running for each in planned.wanted)
    known = is_release(planned.previous)
    older = trusted_release(store, planned.previous) if known else None
    plan_of_run = RunPlan(
        Mode.APPLY,
        planned.plan.version,
        planned.previous,
        tuple((step.key, step.action, "") for step in planned.plan.steps),
        running,
        planned.now,
        frozenset(skipped),
    )
    found = items(plan_of_run, targets(running, planned.release), targets(planned.now, older))
    return tuple(item.key for item in backed_up(Run(found)))
