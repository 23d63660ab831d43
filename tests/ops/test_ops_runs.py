"""What a run's plan and two releases of the product tell the state machine."""

from __future__ import annotations

from airstore.core.release import HelmRelease
from airstore.deploy.ledger import Running
from airstore.deploy.steps import Mode
from airstore.deploy.target import Target
from airstore.ops.runs import RunPlan, items


def side(needs: dict[str, tuple[str, ...]]) -> dict[str, Target]:
    """Helm releases of one state."""
    return {
        f"shop/{name}": Target(
            Running(name, "shop", name, "1", "sha256:0", ""), HelmRelease(name, "shop", name, needs=others)
        )
        for name, others in needs.items()
    }


def test_what_is_needed_in_either_state_is_needed_in_the_run() -> None:
    """A release that leaves the product still writes into its database; one may need another database now."""
    old = side({"db": (), "cache": (), "web": ("db",), "left": ("db",)})
    new = side({"db": (), "cache": (), "web": ("cache",)})
    actions = {"shop/db": "unchanged", "shop/cache": "unchanged", "shop/web": "change", "shop/left": "remove"}
    plan = RunPlan(Mode.APPLY, "2", "1", tuple((key, action, "") for key, action in actions.items()), (), ())
    assert {item.key: item.needs for item in items(plan, new, old)} == {
        "shop/db": (),
        "shop/cache": (),
        "shop/web": ("shop/cache", "shop/db"),
        "shop/left": ("shop/db",),
    }
