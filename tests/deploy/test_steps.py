"""The state machine: any failure and any kill ends in the old state, the new one, or with a call for help."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

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

HOOKS = frozenset({"preUpgrade", "verifyBackup", "postUpgrade", "rollback"})


@dataclass
class World:
    """What steps do: a chart and data of each Helm release, and whether its writers run.

    Whatever changes migrates the data of everything that it needs, as an application does with its database.

    Attributes:
        charts: key to ``old``, ``new`` or nothing.
        needs: key to everything that it needs, directly or not.
    """

    charts: dict[str, str]
    data: dict[str, str]
    needs: dict[str, set[str]]
    stopped: set[str] = field(default_factory=set)
    backups: dict[str, str] = field(default_factory=dict)

    def do(self, step: Step) -> None:
        """One step, wholly."""
        key = step.item
        if step.kind is StepKind.BACKUP:
            self.backups[key] = self.data[key]
        elif step.kind is StepKind.UPGRADE:
            self.charts[key] = "new"
            self._migrate(key)
        elif step.kind is StepKind.REINSTATE:
            self.charts[key] = "old"
        elif step.kind in {StepKind.REMOVE, StepKind.UNINSTALL}:
            self.charts.pop(key, None)
            if step.kind is StepKind.REMOVE:  # Helm's own hooks may run
                self._migrate(key)
        elif step.kind is StepKind.STOP:
            self.stopped.add(key)
        elif step.kind is StepKind.START:
            self.stopped.discard(key)
        elif step.kind in {StepKind.RESTORE, StepKind.RESTORE_AGAIN}:
            self.data[key] = self.backups[key]

    def _migrate(self, key: str) -> None:
        self.data |= dict.fromkeys((self.needs[key] | {key}) & self.data.keys(), "new")


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """An apply of up to four Helm releases, each of which may need any earlier one."""
    count = draw(st.integers(1, 4))
    items: list[Item] = []
    actions = draw(
        st.lists(st.sampled_from(("install", "change", "unchanged")), min_size=count, max_size=count)
    )
    for number, action in enumerate(actions):
        needs = tuple(item.key for item in items if draw(st.booleans()))
        hooks = HOOKS if draw(st.booleans()) else frozenset[str]()
        items.append(Item(f"n/{number}", action, needs, hooks, rank=number))
    for number in range(draw(st.integers(0, 2))):
        needs = tuple(item.key for item in items if draw(st.booleans()))
        items.append(Item(f"n/gone{number}", "remove", needs, rank=9 + number))
    return Run(tuple(items))


def all_needs(run: Run) -> dict[str, set[str]]:
    """Key to everything that it needs; here what is needed comes first."""
    found = dict[str, set[str]]()
    for item in run.items:
        found[item.key] = set(item.needs).union(*(found[other] for other in item.needs))
    return found


def world_before(run: Run) -> World:
    keys = [item.key for item in run.items if item.action != "install"]
    return World(dict.fromkeys(keys, "old"), dict.fromkeys(keys, "old"), all_needs(run))


def is_new(run: Run, world: World) -> bool:
    wanted = {
        item.key: "old" if item.action == "unchanged" else "new"
        for item in run.items
        if item.action != "remove"
    }
    return world.charts == wanted and not world.stopped


def is_old(run: Run, world: World) -> bool:
    before = world_before(run)
    hooked = {item.key for item in run.items if "rollback" in item.hooks and item.action != "install"}
    restored = all(world.data[key] == before.data[key] for key in hooked)
    return world.charts == before.charts and restored and not (world.stopped & before.charts.keys())


def drive(run: Run, world: World, events: list[Event], faults: st.DataObject, *, killed: bool) -> End | None:
    """Until it ends; None where it was killed. A step that fails or is killed may have been done or not."""
    for _ in range(200):
        step = next_step(run, events)
        if isinstance(step, End):
            return step
        fate = faults.draw(st.sampled_from(("done",) * 6 + ("failed", "killed" if killed else "done")))
        events.append(Event(Status.BEGIN, step))
        if fate == "done" or faults.draw(st.booleans()):
            world.do(step)
        if fate == "killed":
            return None
        events.append(Event(Status.DONE if fate == "done" else Status.FAILED, step))
    raise AssertionError("it does not end")


@given(run=runs(), faults=st.data())
def test_it_ends_new_old_or_with_a_call_for_help(run: Run, faults: st.DataObject) -> None:
    world, events = world_before(run), list[Event]()
    end = drive(run, world, events, faults, killed=True)
    while end is None:  # the same command again
        end = drive(run, world, events, faults, killed=faults.draw(st.booleans()))
    if end is End.SUCCEEDED:
        assert is_new(run, world)
    elif end in {End.UNTOUCHED, End.ROLLED_BACK}:
        assert is_old(run, world)
    else:
        assert any(event.status is Status.FAILED for event in events)


@given(run=runs(), faults=st.data())
def test_an_operator_who_mends_what_is_broken_gets_the_old_state(run: Run, faults: st.DataObject) -> None:
    world, events = world_before(run), list[Event]()
    end = drive(run, world, events, faults, killed=False)
    while end is End.NEEDS_OPERATOR:
        events.append(Event(Status.RESUME))
        end = drive(run, world, events, faults, killed=False)
    assert is_new(run, world) if end is End.SUCCEEDED else is_old(run, world)


@given(run=runs(), stop=st.integers(0, 40))
def test_an_operator_can_turn_any_run_back(run: Run, stop: int) -> None:
    world, events = world_before(run), list[Event]()
    for done in list(forward_steps(run))[:stop]:
        world.do(done)
        events += [Event(Status.BEGIN, done), Event(Status.DONE, done)]
    events.append(Event(Status.TURN))
    while isinstance(step := next_step(run, events), Step):
        world.do(step)
        events += [Event(Status.BEGIN, step), Event(Status.DONE, step)]
    assert step in {End.UNTOUCHED, End.ROLLED_BACK}
    assert is_old(run, world)


@given(run=runs())
def test_nothing_changes_before_every_backup_is_verified(run: Run) -> None:
    kinds = [step.kind for step in forward_steps(run)]
    proofs = [index for index, kind in enumerate(kinds) if kind in {StepKind.BACKUP, StepKind.VERIFY}]
    changes = [index for index, kind in enumerate(kinds) if kind not in {StepKind.BACKUP, StepKind.VERIFY}]
    assert not proofs or not changes or max(proofs) < min(changes)


@given(run=runs())
def test_of_what_is_unchanged_only_data_are_touched_that_a_change_can_reach(run: Run) -> None:
    unchanged = {item.key for item in run.items if item.action == "unchanged"}
    needs = all_needs(run)
    reached = set[str]().union(*(needs[item.key] for item in run.items if item.action != "unchanged"))
    steps = {step for step in forward_steps(run) if step.item in unchanged}
    assert {step.kind for step in steps} <= {StepKind.BACKUP, StepKind.VERIFY}
    hooked = {item.key for item in run.items if item.hooks}
    assert {step.item for step in steps} == unchanged & reached & hooked


@given(run=runs(), stop=st.integers(0, 40), fails=st.booleans())
def test_data_are_restored_while_nothing_that_needs_them_writes(run: Run, stop: int, fails: bool) -> None:
    """However far it came, and even if each restore takes a second attempt: before a dependent starts."""
    world, events, needs = world_before(run), list[Event](), all_needs(run)
    for done in list(forward_steps(run))[:stop]:
        world.do(done)
        events += [Event(Status.BEGIN, done), Event(Status.DONE, done)]
    events.append(Event(Status.TURN))
    while isinstance(step := next_step(run, events), Step):
        if step.kind in {StepKind.RESTORE, StepKind.RESTORE_AGAIN}:
            assert {key for key in needs if step.item in needs[key]} & world.charts.keys() <= world.stopped
        if step.kind is StepKind.START:
            assert all(world.data[key] == "old" for key in needs[step.item] & world.backups.keys())
        failed = fails and step.kind is StepKind.RESTORE
        if not failed:
            world.do(step)
        events += [Event(Status.BEGIN, step), Event(Status.FAILED if failed else Status.DONE, step)]
    assert is_old(run, world)


def _steps(run: Run, events: list[Event]) -> list[str]:
    taken = []
    while isinstance(step := next_step(run, events), Step):
        taken.append(str(step))
        events += [Event(Status.BEGIN, step), Event(Status.DONE, step)]
    return taken


def test_the_way_back_stops_restores_and_reinstates_in_order() -> None:
    run = Run(
        (
            Item("s/db", "change", (), HOOKS, rank=0),
            Item("s/api", "change", ("s/db",), rank=1),
            Item("s/web", "change", ("s/api",), rank=2),
        )
    )
    events = list[Event]()
    while (step := next_step(run, events)) != Step(StepKind.UPGRADE, "s/web"):
        assert isinstance(step, Step)
        events += [Event(Status.BEGIN, step), Event(Status.DONE, step)]
    events += [Event(Status.BEGIN, step), Event(Status.FAILED, step)]
    assert _steps(run, events) == [
        "stop-writers s/web",
        "stop-writers s/api",
        "stop-writers s/db",
        "rollback-hook s/db",
        "reinstate s/db",
        "start-writers s/db",
        "recovered s/db",
        "reinstate s/api",
        "start-writers s/api",
        "recovered s/api",
        "reinstate s/web",
        "start-writers s/web",
        "recovered s/web",
    ]


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
