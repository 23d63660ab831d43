"""The engine with its real journal over a cluster in memory: any fault, any kill, old or new at the end."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airstore.core.errors import DeployError, LockedError, TransferError
from airstore.core.kube.dryruns import Refusal
from airstore.core.kube.sights import Cause, Sight, Trouble
from airstore.core.model.gates import WorkloadGate
from airstore.deploy.hooks.runner import Hook, Watching
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.run.steps import End, Run, Status
from tests.deploy.engine_parts import Fate, KilledError, Parts, Place, always
from tests.support.kubernetes.conformance import ALL, Parties
from tests.support.kubernetes.deploy_world import (
    AlwaysHeld,
    FastClock,
    MemoryCluster,
    MemoryHelm,
    MemoryHooks,
    MemorySupplies,
)


@pytest.fixture
def place() -> Place:
    return Place()


def picture_of_new() -> object:
    place = Place()
    with tempfile.TemporaryDirectory() as scratch:
        assert place.engine(Path(scratch), always()).drive() is End.SUCCEEDED
    return place.picture()


NEW = picture_of_new()


@pytest.mark.slow
@settings(max_examples=100)
@given(data=st.data())
def test_any_faults_and_kills_end_old_new_or_with_a_call_for_help(data: st.DataObject) -> None:
    place = Place()
    fates = ("done",) * 12 + ("failed", "failed-after", "killed", "killed-after")
    fate = Fate(lambda: data.draw(st.sampled_from(fates)))
    with tempfile.TemporaryDirectory() as scratch:
        end = _drive_until_it_ends(place, Path(scratch), fate)
        if end is End.NEEDS_OPERATOR:  # never silently: a step failed thrice, and the journal says which
            engine = place.engine(Path(scratch), always())
            assert [event for event in engine.journal.events if event.status is Status.FAILED]
            engine.journal.record(Status.RESUME)
            assert engine.drive() is End.ROLLED_BACK
    assert place.picture() == (NEW if end is End.SUCCEEDED else place.before)


def _drive_until_it_ends(place: Place, directory: Path, fate: Fate) -> End:
    for _ in range(60):
        try:
            return place.engine(directory, fate).drive()
        except KilledError:
            continue
    return place.engine(directory, always()).drive()


@pytest.mark.parametrize("number", range(40))
def test_the_first_call_that_fails_leads_back(place: Place, tmp_path: Path, number: int) -> None:
    count = iter(range(1000))
    fate = Fate(lambda: "failed" if next(count) == number else "done")
    end = place.engine(tmp_path, fate).drive()
    failed = "failed" in fate.met
    assert (end is End.SUCCEEDED) == (not failed or place.picture() == NEW)
    assert place.picture() == (NEW if end is End.SUCCEEDED else place.before)


def test_backups_come_first_and_restores_come_once(place: Place, tmp_path: Path) -> None:
    assert place.engine(tmp_path, always()).drive() is End.SUCCEEDED
    assert place.hooks.ran == ["preUpgrade shop/db", "verifyBackup shop/db", "postUpgrade shop/db"]


@pytest.mark.parametrize("number", range(8, 30, 4))
def test_a_journal_that_was_cut_forgets_no_backup_and_no_change(
    place: Place, tmp_path: Path, number: int
) -> None:
    """Killed after so many calls, its file cut to the plan; then an operator wants back what ran before."""
    calls = iter(range(1, number + 1))
    with pytest.raises(KilledError):
        place.engine(tmp_path, Fate(lambda: "done" if next(calls, 0) else "killed-after")).drive()
    path = tmp_path / "run" / "journal.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    resumed = place.parts(tmp_path, always())
    resumed.journal.record(Status.TURN)
    assert resumed.drive() is End.ROLLED_BACK
    assert place.picture() == place.before


def test_a_lost_lease_stops_everything_at_once(place: Place, tmp_path: Path) -> None:
    class Lost:
        left = 4

        def check(self) -> None:
            self.left -= 1
            if not self.left:
                raise LockedError("somebody took it")

    with pytest.raises(LockedError):
        place.engine(tmp_path, always(), Lost()).drive()
    assert place.engine(tmp_path, always()).drive() is End.SUCCEEDED
    assert place.picture() == NEW


def test_a_server_that_stays_away_on_the_way_back_needs_no_operator(place: Place, tmp_path: Path) -> None:
    """It takes the Lease with it; the next command resumes, and only then do attempts count."""
    parts = _migrating(place, tmp_path)
    asked = list[str]()

    class Away(AlwaysHeld):
        def confirm(self) -> None:
            asked.append("renew")
            raise LockedError("it could not be renewed")

    class Unreachable:
        def __getattr__(self, name: str) -> Any:
            return getattr(place.cluster, name)

        def start_writers(self, *_: Any, **__: Any) -> bool:
            raise TransferError("connection refused")

    with pytest.raises(LockedError):
        replace(parts, cluster=Unreachable()).engine(Away()).drive()
    assert asked == ["renew"]
    assert parts.drive() is End.ROLLED_BACK
    assert place.picture() == place.before


def test_an_unhealthy_release_is_named(place: Place, tmp_path: Path) -> None:
    target = place.new["shop/web"]
    helm = replace(target.helm, health=(WorkloadGate("deployment", "nowhere"),))
    place.new["shop/web"] = replace(target, helm=helm)
    engine = place.engine(tmp_path, always())
    assert engine.drive() is End.ROLLED_BACK
    (failure,) = (event.detail for event in engine.journal.events if event.status is Status.FAILED)
    assert failure == "shop/web is not healthy after 20s: deployment nowhere: there is no deployment nowhere"
    assert place.picture() == place.before


def test_a_database_that_stays_gets_its_rows_back(place: Place, tmp_path: Path) -> None:
    """The application's migration writes into it; then the application does not get healthy."""
    parts = _migrating(place, tmp_path)
    said = list[str]()
    assert replace(parts, say=said.append).drive() is End.ROLLED_BACK
    assert place.picture() == place.before
    assert place.helm.released["shop/db"][0] == 1, "it was installed again"
    assert [line for line in place.hooks.ran if "db" in line] == [
        "preUpgrade shop/db",
        "verifyBackup shop/db",
        "rollback shop/db",
    ]


def test_a_database_that_the_hook_could_not_reach_is_asked_again_once_it_is_up(
    place: Place, tmp_path: Path
) -> None:
    """It is a Deployment, stopped with the writers, and starts more slowly than a hook is tried again."""
    clock = FastClock()
    parts = _migrating(place, tmp_path)
    started = list[float]()

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(place.cluster, name)

        def start_writers(self, namespace: str, helm_release: str, places: Any) -> bool:
            found = place.cluster.start_writers(namespace, helm_release, places)
            started.append(clock.now())
            return found

        def ready(self, gate: Any, namespace: str) -> str | None:
            slow = started and clock.now() - started[0] < 15
            return (
                "it starts"
                if slow and gate == WorkloadGate("deployment", "db")
                else place.cluster.ready(gate, namespace)
            )

    class Remote(MemoryHooks):
        def run(self, hook: Hook, watching: Watching) -> None:
            if hook.name == "rollback" and (not started or clock.now() - started[0] < 15):
                raise DeployError("connection refused")
            super().run(hook, watching)

    place.hooks = Remote(place.hooks.data)
    parts = replace(parts, cluster=Slow(), hooks=place.hooks, clock=clock)
    assert parts.drive() is End.ROLLED_BACK
    assert place.picture() == place.before


def _migrating(place: Place, directory: Path) -> Parts:
    """The database stays, the application changes its rows and then never gets healthy."""
    place.new["shop/db"] = place.old["shop/db"]
    api = place.new["shop/api"]
    place.new["shop/api"] = replace(
        api, helm=replace(api.helm, health=(WorkloadGate("deployment", "nowhere"),))
    )
    parts = place.parts(directory, always())
    items = [
        replace(item, action="unchanged") if item.key == "shop/db" else item
        for item in parts.transition.run.items
    ]

    class Migrating:
        def __getattr__(self, name: str) -> Any:
            return getattr(place.helm, name)

        def install(
            self, target: ReleaseTarget, *, wait: bool, watch: Callable[[], None] | None = None
        ) -> None:
            place.helm.install(target, wait=wait, watch=watch)
            if target is place.new["shop/api"]:
                place.hooks.data["shop/db"] = "rows that 1.1.0 migrated"

    steps = replace(parts.transition, run=Run(tuple(items)))
    return replace(parts, helm=Migrating(), transition=steps)


def test_nothing_is_stopped_that_could_not_start_again(place: Place, tmp_path: Path) -> None:
    parts = _migrating(place, tmp_path)
    place.cluster.refusals["Pod", "api"] = Refusal(403, 'pods "api" is forbidden: violates PodSecurity "x"')
    stops = list[str]()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(place.cluster, name)

        def stop_writers(self, namespace: str, helm_release: str, *_: Any, **__: Any) -> None:
            stops.append(f"{namespace}/{helm_release}")

    parts = replace(parts, cluster=Watched())
    assert parts.drive() is End.NEEDS_OPERATOR
    assert stops == []
    *_, failure = (event.detail for event in parts.journal.events if event.status is Status.FAILED)
    assert "nothing is stopped, because it could not start again" in failure
    assert "shop/api: going back to 1.0.0: Deployment api: its pods: " in failure
    assert 'violates PodSecurity "x"' in failure


def test_a_wait_that_is_of_no_use_ends_and_is_said_once(place: Place, tmp_path: Path) -> None:
    trouble = Trouble(Cause.CRASH, "pod web-1", "pod web-1: CrashLoopBackOff (exit code 3)")
    parts = place.parts(tmp_path, always())
    clock = parts.clock

    class Crashing:
        def __getattr__(self, name: str) -> Any:
            return getattr(place.cluster, name)

        def look(self, document: Any, namespace: str) -> Sight | None:
            mark = (place.cluster.live(document, namespace) or {}).get("metadata", {}).get("version", "")
            crash = (trouble,) if document["metadata"]["name"] == "web" else ()
            name = f"Deployment {document['metadata']['name']}"
            return Sight(name, str(mark), 0, 1, crash, "no such table")

        def ready(self, gate: Any, _namespace: str) -> str:
            return "it is not" if gate == WorkloadGate("deployment", "web") and clock.now() < 15 else ""

    parts = replace(parts, cluster=Crashing())
    assert parts.drive() is End.ROLLED_BACK
    (failure,) = (event.detail for event in parts.journal.events if event.status is Status.FAILED)
    assert re.match(r"shop/web: ended after \d s, because no time will cure this: ", failure)
    assert failure.endswith(
        "Deployment web: pod web-1: CrashLoopBackOff (exit code 3); it said: no such table"
    )


@pytest.mark.parametrize("expectation", ALL)
def test_cluster_and_helm_in_memory_behave(expectation: Callable[[Parties], None]) -> None:
    cluster, supplies = MemoryCluster(), MemorySupplies()

    def keep(target: ReleaseTarget, chart: bytes) -> None:
        supplies.charts[target.running.key, target.version] = chart

    expectation(Parties(cluster, MemoryHelm(cluster), keep, "shop"))
