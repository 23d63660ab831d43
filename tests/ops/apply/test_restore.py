"""What a rollback on demand restores, and the ways out that are named where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from airstore.core.errors import AirstoreError, DeployError, NotFoundError, UsageError
from airstore.deploy.plan.backups import Backup, BackupIndex, RunRecord
from airstore.deploy.plan.stack import stack
from airstore.history.ledger import Entry, Running
from airstore.ops.apply.restore import Choice, Journey, find_backups

DB, CACHE = "shop/db", "shop/cache"
RUNNING = (Running("db", "shop", "db", "1", "sha256:0", ""),)


def journey(
    *,
    held: Mapping[str, tuple[str, ...]],
    reached: tuple[str, ...] = (DB, CACHE),
    kept: tuple[str, ...] = (DB, CACHE),
    product: str = "shop",
    returning: tuple[str, ...] = (),
) -> Journey:
    """From 1.3 to 1.0, by runs ``b`` and ``c``; ``held``: run to what it backed up."""
    entries = [
        Entry("apply", v, "succeeded", 0, {"run": r}, RUNNING)
        for v, r in (("1.0", "a"), ("1.1", "b"), ("1.3", "c"))
    ]
    records = {
        run: RunRecord(
            run, product, version, before, frozenset(reached), dict.fromkeys(held.get(run, ()), True)
        )
        for run, version, before in (("b", "1.1", "1.0"), ("c", "1.3", "1.1"))
    }
    return Journey(BackupIndex(stack(entries), records), 0, "shop", kept, returning)


def runs(found: dict[str, Backup]) -> dict[str, str]:
    return {key: backup.run for key, backup in found.items()}


def there(_backup: Backup) -> bool:
    return True


BOTH = {"b": (DB, CACHE), "c": (DB, CACHE)}


def test_each_release_gets_the_first_backup_since() -> None:
    assert runs(find_backups(journey(held=BOTH), Choice(), there)) == {DB: "b", CACHE: "b"}


def test_what_nothing_changed_needs_none() -> None:
    assert find_backups(journey(held={}, reached=()), Choice(), there) == {}


def test_data_that_are_kept_need_no_backup() -> None:
    assert find_backups(journey(held={}), Choice(keep=True), there) == {}
    found = find_backups(journey(held={"b": (DB,)}), Choice(skipped=frozenset({CACHE})), there)
    assert runs(found) == {DB: "b"}


def test_other_runs_can_be_chosen_and_each_release_takes_the_first_that_holds_it() -> None:
    assert runs(find_backups(journey(held=BOTH), Choice(runs=("c",)), there)) == {DB: "c", CACHE: "c"}
    held = {"b": (DB,), "c": (DB, CACHE)}
    assert runs(find_backups(journey(held=held), Choice(runs=("b", "c")), there)) == {DB: "b", CACHE: "c"}


REFUSED: list[tuple[Callable[[], Journey], Choice, type[AirstoreError], list[str]]] = [
    (
        lambda: journey(held={"b": (DB,)}),
        Choice(),
        DeployError,
        [CACHE, "1.0", "run b", "--backup", "--keep-data"],
    ),
    (lambda: journey(held=BOTH), Choice(runs=("x",)), NotFoundError, ["'x'", "backup list"]),
    (
        lambda: journey(held={"c": (DB,)}),
        Choice(runs=("c",)),
        UsageError,
        [f"no data of {CACHE}", f"only of {DB}"],
    ),
    (lambda: journey(held=BOTH, product="other"), Choice(runs=("c",)), UsageError, ["product other", "shop"]),
    (lambda: journey(held=BOTH, reached=()), Choice(runs=("c",)), UsageError, ["nothing to choose"]),
    (
        lambda: journey(held=BOTH, kept=(), returning=(DB,)),
        Choice(),
        DeployError,
        [DB, "step by step", "1.1"],
    ),
]


@pytest.mark.parametrize(("make", "choice", "kind", "words"), REFUSED)
def test_what_cannot_be_restored_is_refused_with_the_ways_out(
    make: Callable[[], Journey], choice: Choice, kind: type[AirstoreError], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        find_backups(make(), choice, there)
    said = f"{caught.value}\n{caught.value.hint}"
    assert all(word in said for word in words), said


def test_a_backup_that_is_gone_is_named_and_no_later_one_is_taken() -> None:
    with pytest.raises(
        DeployError, match=r"run b made.*gone from disk: deploy/runs/b/backup/shop_db"
    ) as caught:
        find_backups(journey(held=BOTH), Choice(), lambda backup: backup.run != "b")
    assert "--skip-backup shop/db" in caught.value.hint
    assert "1.0 then runs on the data that 1.3 has written" in caught.value.hint


def test_what_returns_and_was_not_changed_since_is_no_trouble() -> None:
    found = find_backups(journey(held={}, kept=(), returning=(DB,), reached=()), Choice(), there)
    assert found == {}
