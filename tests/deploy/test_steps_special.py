"""Steps of unusual runs: hooks without a change of their chart, uninstalls, what an operator gives up."""

from __future__ import annotations

from dataclasses import replace

from airstore.deploy.run.steps import (
    End,
    Event,
    Item,
    Mode,
    Run,
    Status,
    Step,
    StepKind,
    forward_steps,
    next_step,
    stopped,
)
from tests.deploy.test_steps import HOOKS, _steps


def test_a_rollback_hook_that_fails_runs_again_on_the_old_chart() -> None:
    run = Run((Item("s/db", "change", (), HOOKS),))
    events = list[Event]()
    while (step := next_step(run, events)) != Step(StepKind.RESTORE, "s/db"):
        assert isinstance(step, Step)
        fate = Status.FAILED if step.kind is StepKind.UPGRADE else Status.DONE
        events += [Event(Status.BEGIN, step), Event(fate, step)]
    events += [Event(Status.BEGIN, step), Event(Status.FAILED, step)]
    assert _steps(run, events) == [
        "reinstate s/db",
        "start-writers s/db",
        "rollback-hook-again s/db",
        "recovered s/db",
    ]
    assert next_step(run, events) is End.ROLLED_BACK


def test_a_failed_backup_leaves_everything_untouched() -> None:
    run = Run((Item("s/db", "change", (), HOOKS), Item("s/web", "install")))
    step = Step(StepKind.BACKUP, "s/db")
    assert next_step(run, []) == step
    assert next_step(run, [Event(Status.BEGIN, step), Event(Status.FAILED, step)]) is End.UNTOUCHED


def test_an_uninstall_that_fails_is_called_again_and_never_turns_back() -> None:
    run = Run((Item("s/db", "remove"), Item("s/web", "remove")), Mode.UNINSTALL)
    events = [
        Event(Status.BEGIN, Step(StepKind.REMOVE, "s/web")),
        Event(Status.FAILED, Step(StepKind.REMOVE, "s/web")),
    ]
    assert next_step(run, events) is End.NEEDS_OPERATOR
    events.append(Event(Status.RESUME))
    assert _steps(run, events) == ["remove s/web", "remove s/db"]
    assert next_step(run, events) is End.SUCCEEDED


STAYING = Run(
    (
        Item("s/db", "unchanged", (), HOOKS, rank=0),
        Item("s/other", "unchanged", (), HOOKS, rank=1),
        Item("s/api", "unchanged", ("s/db",), rank=2),
        Item("s/web", "change", ("s/api",), rank=3),
    )
)


def _failed_at(run: Run, wanted: Step) -> list[Event]:
    events = list[Event]()
    while (step := next_step(run, events)) != wanted:
        assert isinstance(step, Step), (step, wanted)
        events += [Event(Status.BEGIN, step), Event(Status.DONE, step)]
    return [*events, Event(Status.BEGIN, step), Event(Status.FAILED, step)]


def test_a_database_that_stays_is_backed_up_and_restored_and_not_installed_again() -> None:
    events = _failed_at(STAYING, Step(StepKind.HEALTH, "s/web"))
    assert [str(event.step) for event in events if event.status is Status.DONE][:2] == [
        "backup s/db",
        "verify-backup s/db",
    ]
    assert _steps(STAYING, events) == [
        "stop-writers s/web",
        "stop-writers s/api",
        "stop-writers s/db",
        "rollback-hook s/db",
        "start-writers s/db",
        "recovered s/db",
        "start-writers s/api",
        "recovered s/api",
        "reinstate s/web",
        "start-writers s/web",
        "recovered s/web",
    ]
    assert next_step(STAYING, events) is End.ROLLED_BACK


def test_a_run_that_an_older_version_began_takes_no_backup_of_what_was_migrated_already() -> None:
    """It backed up only what changes; by now the database holds what the new release wrote."""
    upgrade = Step(StepKind.UPGRADE, "s/web")
    events = [Event(Status.BEGIN, upgrade), Event(Status.DONE, upgrade)]
    assert _steps(STAYING, events) == ["crds s/web", "health s/web"]
    events = [Event(Status.BEGIN, upgrade), Event(Status.FAILED, upgrade)]
    assert _steps(STAYING, events) == [
        "stop-writers s/web",
        "reinstate s/web",
        "start-writers s/web",
        "recovered s/web",
    ]


def test_what_the_operator_gave_up_is_neither_backed_up_nor_restored() -> None:
    run = Run(tuple(replace(item, skipped=item.key == "s/db") for item in STAYING.items))
    events = _failed_at(run, Step(StepKind.HEALTH, "s/web"))
    assert "s/db" not in " ".join([*_steps(run, events), *map(str, forward_steps(run))])
    assert next_step(run, events) is End.ROLLED_BACK


def test_a_hook_without_a_backup_runs_only_for_its_own_chart() -> None:
    hooks = frozenset({"rollback"})
    run = Run(
        (
            Item("s/db", "unchanged", (), hooks),
            Item(
                "s/api", "change", ("s/db", "s/late"), hooks, rank=1
            ),  # the old one needed what comes later now
            Item("s/late", "change", (), hooks, rank=2),
        )
    )
    taken = _steps(run, _failed_at(run, Step(StepKind.UPGRADE, "s/api")))
    assert [step for step in taken if step.startswith("rollback-hook")] == ["rollback-hook s/api"]


def test_a_rollback_on_demand_restores_what_it_has_a_backup_of_though_its_chart_stays() -> None:
    items = (
        Item("s/db", "unchanged", (), HOOKS, "runs/1/backup/s_db", rank=0),
        Item("s/web", "unchanged", ("s/db",), rank=1),
    )
    run = Run(items, Mode.ROLLBACK)
    events = list[Event]()
    assert _steps(run, events) == [
        "stop-writers s/web",
        "stop-writers s/db",
        "rollback-hook s/db",
        "start-writers s/db",
        "recovered s/db",
        "start-writers s/web",
        "recovered s/web",
    ]
    assert next_step(run, events) is End.SUCCEEDED


def test_what_the_operator_gives_up_is_stopped_and_not_installed_again() -> None:
    given_up = [replace(item, abandoned=item.key == "s/web") for item in STAYING.items]
    asked_before = _failed_at(replace(STAYING, items=tuple(given_up)), Step(StepKind.HEALTH, "s/web"))
    failed = _failed_at(STAYING, Step(StepKind.HEALTH, "s/web"))
    asked_after = [*failed, Event(Status.GIVE_UP, Step(StepKind.REINSTATE, "s/web")), Event(Status.RESUME)]
    for items, events in ((tuple(given_up), asked_before), (STAYING.items, asked_after)):
        run = replace(STAYING, items=items)
        assert "s/web" not in stopped(run, events)
        steps = _steps(run, events)
        assert [step for step in steps if step.endswith("s/web")] == ["stop-writers s/web"]
        assert "rollback-hook s/db" in steps
        assert next_step(run, events) is End.ROLLED_BACK


def test_a_restore_that_the_operator_gives_up_is_left_out_and_what_waits_for_it_starts() -> None:
    events = _failed_at(STAYING, Step(StepKind.HEALTH, "s/web"))
    for kind in (StepKind.RESTORE, StepKind.RESTORE_AGAIN):
        while (step := next_step(STAYING, events)) != Step(kind, "s/db"):
            assert isinstance(step, Step)
            events += [Event(Status.BEGIN, step), Event(Status.DONE, step)]
        events += [Event(Status.BEGIN, step), Event(Status.FAILED, step)]
    assert next_step(STAYING, events) is End.NEEDS_OPERATOR
    events += [Event(Status.GIVE_UP, Step(StepKind.RESTORE, "s/db")), Event(Status.RESUME)]
    assert _steps(STAYING, events) == [
        "recovered s/db",
        "start-writers s/api",
        "recovered s/api",
        "reinstate s/web",
        "start-writers s/web",
        "recovered s/web",
    ]
    assert next_step(STAYING, events) is End.ROLLED_BACK
