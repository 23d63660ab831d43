"""What a plan and two releases of the product tell the state machine; and runs of older versions."""

from __future__ import annotations

import shutil
from pathlib import Path

from airstore.core.model.release import HelmRelease
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.plan.backups import relative
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import unfinished
from airstore.deploy.run.steps import Mode
from airstore.deploy.run.transition import items_of
from airstore.history.ledger import Running
from airstore.ops.apply.session.runs import Runs
from airstore.ops.stores.directory import SITE, StoreDirectory

FIXTURE = Path(__file__).parents[3] / "fixtures" / "runs"


def side(needs: dict[str, tuple[str, ...]]) -> dict[str, ReleaseTarget]:
    """Helm releases of one state."""
    return {
        f"shop/{name}": ReleaseTarget(
            Running(name, "shop", name, "1", "sha256:0", ""), HelmRelease(name, "shop", name, needs=others)
        )
        for name, others in needs.items()
    }


def test_what_is_needed_in_either_state_is_needed_in_the_run() -> None:
    """A release that leaves the product still writes into its database; one may need another database now."""
    old = side({"db": (), "cache": (), "web": ("db",), "left": ("db",)})
    new = side({"db": (), "cache": (), "web": ("cache",)})
    actions = {"shop/db": "unchanged", "shop/cache": "unchanged", "shop/web": "change", "shop/left": "remove"}
    plan = Intent(Mode.APPLY, "2", "1", tuple((key, action, "") for key, action in actions.items()), (), ())
    assert {item.key: item.needs for item in items_of(plan, new, old)} == {
        "shop/db": (),
        "shop/cache": (),
        "shop/web": ("shop/cache", "shop/db"),
        "shop/left": ("shop/db",),
    }


def test_a_run_that_an_older_version_began_is_read_and_one_of_now_reads_back(tmp_path: Path) -> None:
    """It named its backup by an absolute path, of where the store was then, and knew nothing of skipping."""
    runs = Runs(StoreDirectory(tmp_path, SITE, "acme", None))
    shutil.copytree(FIXTURE, runs.directory)
    journal = unfinished(runs.directory)
    assert journal
    plan = Intent.of(journal)
    assert (plan.mode, plan.version, plan.previous, plan.skipped) == (
        Mode.ROLLBACK,
        "1.1.0",
        "1.0.0",
        frozenset(),
    )
    ((key, action, backup),) = plan.items
    assert (key, action) == ("shop/db", "change")
    assert relative(backup) == "deploy/runs/20260101T000000Z-0000000a/backup/shop_db"
    assert "1.1.0" in plan.new[0].rendered
    assert [str(event.step) for event in journal.events][-1] == "rollback-hook shop/db"

    wanted = Intent(
        Mode.APPLY, "2", "1", (("shop/db", "change", ""),), plan.new, plan.old, frozenset({"shop/db"})
    )
    assert Intent.of(wanted.begin(runs.make("20260103T000000Z-0000000c"))) == wanted
    (item,) = items_of(wanted, {}, {})
    assert item.skipped
