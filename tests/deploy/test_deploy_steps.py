"""The state machine: any failure and any kill ends in the old state, the new one, or with a call for help."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from airstore.deploy.steps import (
    End,
    Event,
    Item,
    Kind,
    Mode,
    Run,
    Status,
    Step,
    forward_steps,
    next_step,
    states,
)

HOOKS = frozenset({"preUpgrade", "verifyBackup", "postUpgrade", "rollback"})


@dataclass
class World:
    """What steps do: a chart and data of each Helm release, and whether its writers run.

    Attributes:
        charts: key to ``old``, ``new`` or nothing.
    """

    charts: dict[str, str]
    data: dict[str, str]
    stopped: set[str] = field(default_factory=set)
    backups: dict[str, str] = field(default_factory=dict)

    def do(self, step: Step) -> None:
        """One step, wholly."""
        key = step.item
        if step.kind is Kind.BACKUP:
            self.backups[key] = self.data[key]
        elif step.kind is Kind.UPGRADE:
            self.charts[key] = "new"
            self.data[key] = "new"
        elif step.kind is Kind.REINSTATE:
            self.charts[key] = "old"
        elif step.kind in {Kind.REMOVE, Kind.UNINSTALL}:
            self.charts.pop(key, None)
        elif step.kind is Kind.STOP:
            self.stopped.add(key)
        elif step.kind is Kind.START:
            self.stopped.discard(key)
        elif step.kind in {Kind.RESTORE, Kind.RESTORE_AGAIN}:
            self.data[key] = self.backups[key]


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
    items += [Item(f"n/gone{number}", "remove", rank=9 + number) for number in range(draw(st.integers(0, 2)))]
    return Run(tuple(items))


def world_before(run: Run) -> World:
    keys = [item.key for item in run.items if item.action != "install"]
    return World(dict.fromkeys(keys, "old"), dict.fromkeys(keys, "old"))


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
        assert set(states(run, events)) == {item.key for item in run.items}


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
    proofs = [index for index, kind in enumerate(kinds) if kind in {Kind.BACKUP, Kind.VERIFY}]
    changes = [index for index, kind in enumerate(kinds) if kind not in {Kind.BACKUP, Kind.VERIFY}]
    assert not proofs or not changes or max(proofs) < min(changes)


@given(run=runs())
def test_unchanged_releases_are_left_alone(run: Run) -> None:
    unchanged = {item.key for item in run.items if item.action == "unchanged"}
    assert not unchanged & {step.item for step in forward_steps(run)}


@given(run=runs())
def test_data_are_restored_only_while_nothing_that_needs_them_writes(run: Run) -> None:
    world, events = world_before(run), list[Event]()
    for done in forward_steps(run):
        world.do(done)
        events += [Event(Status.BEGIN, done), Event(Status.DONE, done)]
    events.append(Event(Status.TURN))
    needs = {item.key: item.needs for item in run.items}
    while isinstance(step := next_step(run, events), Step):
        if step.kind is Kind.RESTORE:
            dependents = {item.key for item in run.items if step.item in needs[item.key]}
            assert dependents <= world.stopped
        world.do(step)
        events += [Event(Status.BEGIN, step), Event(Status.DONE, step)]


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
    while (step := next_step(run, events)) != Step(Kind.UPGRADE, "s/web"):
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
    while (step := next_step(run, events)) != Step(Kind.RESTORE, "s/db"):
        assert isinstance(step, Step)
        fate = Status.FAILED if step.kind is Kind.UPGRADE else Status.DONE
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
    step = Step(Kind.BACKUP, "s/db")
    assert next_step(run, []) == step
    assert next_step(run, [Event(Status.BEGIN, step), Event(Status.FAILED, step)]) is End.UNTOUCHED


def test_an_uninstall_that_fails_is_called_again_and_never_turns_back() -> None:
    run = Run((Item("s/db", "remove"), Item("s/web", "remove")), Mode.UNINSTALL)
    events = [
        Event(Status.BEGIN, Step(Kind.REMOVE, "s/web")),
        Event(Status.FAILED, Step(Kind.REMOVE, "s/web")),
    ]
    assert next_step(run, events) is End.NEEDS_OPERATOR
    events.append(Event(Status.RESUME))
    assert _steps(run, events) == ["remove s/web", "remove s/db"]
    assert next_step(run, events) is End.SUCCEEDED
