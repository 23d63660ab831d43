"""The state machine: any failure and any kill ends in the old state, the new one, or with a call for help."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from airstore.deploy.run.steps import (
    End,
    Event,
    Item,
    Run,
    Status,
    Step,
    StepKind,
    forward_steps,
    next_step,
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
