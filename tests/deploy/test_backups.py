"""Which backup serves which state: after jumps, rollbacks, uninstalls, and where one was never made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.deploy.plan.backups import Backup, BackupIndex, Gap, RunRecord, place, relative, to_prune
from airstore.deploy.plan.stack import below, stack
from airstore.history.ledger import Entry, Running

DB = "shop/db"
RUNNING = (Running("db", "shop", "db", "1", "sha256:0", ""),)


def entry(action: str, version: str, run: str, result: str = "succeeded") -> Entry:
    running = () if action == "uninstall" else RUNNING
    return Entry(action, version, result, 0, {"run": run}, running)


def index(*entries: Entry, without: tuple[str, ...] = (), unreached: tuple[str, ...] = ()) -> BackupIndex:
    """Every run changes the database and backs it up, but for some."""
    records, previous = {}, ""
    for each in entries:
        run = str(each.details["run"])
        made = previous and each.action == "apply" and run not in {*without, *unreached}
        records[run] = RunRecord(
            run,
            "shop",
            each.version,
            previous,
            frozenset() if run in unreached else frozenset({DB}),
            {DB: True} if made else {},
        )
        previous = each.version if each.result == "succeeded" else previous
    return BackupIndex(stack(entries), records)


def served(found: BackupIndex) -> dict[str, str]:
    """State below the top to the run whose backup a rollback restores; ``-`` where there is a gap."""
    result = {}
    for depth, state in enumerate(found.states[:-1]):
        backup = found.serving(depth, DB)
        result[state.version] = "-" if isinstance(backup, Gap) else backup.run if backup else ""
    return result


UP = (entry("apply", "1.0", "a"), entry("apply", "1.1", "b"), entry("apply", "1.3", "c"))


def test_each_state_is_served_by_the_first_run_after_it() -> None:
    assert served(index(*UP)) == {"1.0": "b", "1.1": "c"}
    backup = index(*UP).of_run("b")[DB]
    assert (backup.state, backup.made_by) == ("1.0", "1.1")
    assert index(*UP).serves(backup) == ["1.0"]


def test_rolling_back_twice_goes_further_back() -> None:
    once = (*UP, entry("rollback", "1.1", "d"))
    assert [state.version for state in stack(once)] == ["1.0", "1.1"]
    assert served(index(*once)) == {"1.0": "b"}
    assert [state.version for state in stack((*once, entry("rollback", "1.0", "e")))] == ["1.0"]


def test_a_release_that_came_back_is_served_by_what_was_made_since() -> None:
    again = (*UP, entry("rollback", "1.0", "d"), entry("apply", "1.1", "e"))
    assert [state.version for state in stack(again)] == ["1.0", "1.1"]
    assert served(index(*again)) == {"1.0": "e"}


def test_an_older_release_that_was_applied_is_a_state_of_its_own() -> None:
    found = index(*UP, entry("apply", "1.1", "d"))
    assert [state.version for state in found.states] == ["1.0", "1.1", "1.3", "1.1"]
    assert served(found) == {"1.0": "b", "1.1": "c", "1.3": "d"}
    assert below(found.states, "1.1") == 1


def test_the_same_release_with_other_values_is_the_same_state() -> None:
    found = index(*UP, entry("apply", "1.3", "d"))
    assert [state.version for state in found.states] == ["1.0", "1.1", "1.3"]
    assert served(found) == {"1.0": "b", "1.1": "c"}
    assert served(index(*UP, entry("apply", "1.3", "d"), unreached=("c",))) == {"1.0": "b", "1.1": "d"}


def test_a_run_that_changed_data_without_a_backup_is_not_made_good_by_a_later_one() -> None:
    """That one holds what the release in between had written."""
    assert served(index(*UP, without=("b",))) == {"1.0": "-", "1.1": "c"}
    assert served(index(*UP, unreached=("b",))) == {"1.0": "c", "1.1": "c"}
    assert served(index(*UP, unreached=("b", "c"))) == {"1.0": "", "1.1": ""}
    missing = index(*UP)
    assert BackupIndex(missing.states, {"c": missing.records["c"]}).serving(0, DB) == Gap("b", DB)


def test_after_an_uninstall_there_is_no_backup_of_what_was_installed_over_the_volumes() -> None:
    gone = (*UP, entry("uninstall", "1.3", "d"))
    assert [state.version for state in stack(gone)] == ["1.0", "1.1", "1.3"]
    found = index(*gone, entry("apply", "1.4", "e"), without=("e",))
    assert served(found) == {"1.0": "b", "1.1": "c", "1.3": "-"}


def test_failed_runs_are_no_states_and_serve_none() -> None:
    found = index(*UP[:2], entry("apply", "1.2", "x", "failed"), UP[2])
    assert [state.version for state in found.states] == ["1.0", "1.1", "1.3"]
    assert served(found) == {"1.0": "b", "1.1": "c"}
    assert [(backup.run, found.serves(backup)) for backup in found.backups()] == [
        ("x", []),
        ("c", ["1.1"]),
        ("b", ["1.0"]),
    ]


def test_what_a_rollback_needs_and_open_runs_are_never_pruned() -> None:
    entries = (*UP[:2], entry("apply", "1.2", "x", "failed"), UP[2], entry("rollback", "1.1", "y"))
    found = index(*entries)
    assert to_prune(found, {"b", "x", "c"}, 0) == ["c", "x"]
    assert to_prune(found, {"b", "x", "c"}, 1) == ["c"]
    assert to_prune(found, {"b", "x", "c"}, 2) == []
    assert to_prune(found, {"b", "x", "c"}, 0, states=0) == ["b", "c", "x"]
    left = RunRecord("x", "shop", "1.2", "1.1", frozenset({DB}), {DB: True}, open=True)
    assert to_prune(BackupIndex(found.states, {**found.records, "x": left}), {"b", "x", "c"}, 0) == ["c"]


@given(
    actions=st.lists(
        st.tuples(
            st.sampled_from(("apply", "rollback", "uninstall")),
            st.sampled_from(("1", "2", "3")),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_whatever_was_done_a_backup_serves_only_the_state_whose_data_it_holds(
    actions: list[tuple[str, str, bool]],
) -> None:
    """Against a model in which data carry the name of the moment at which they last were somebody's own."""
    entries, records = list[Entry](), dict[str, RunRecord]()
    # What runs, and for each state below it what its data were when it was left; None: they are lost.
    model, installed = list[tuple[str, str | None]](), False
    held = dict[str, str]()
    for number, (action, version, backs_up) in enumerate(actions):
        run, top = f"{number:02}", model[-1][0] if model else ""
        if action == "apply" and version != top:
            moment = f"data of {top} before {run}"
            made = backs_up and installed
            records[run] = RunRecord(run, "shop", version, top, frozenset({DB}), {DB: True} if made else {})
            if made:
                held[run] = moment
            if model:
                model[-1] = (top, moment if made else None)
            model.append((version, None))
            installed = True
        elif (
            action == "rollback"
            and installed
            and version in [each for each, _ in model[:-1]]
            and version != top
        ):
            while model[-1][0] != version:
                model.pop()
            records[run] = RunRecord(run, "shop", top, version, frozenset({DB}), {})
        elif action == "uninstall" and installed:
            installed = False
        else:
            continue
        entries.append(entry(action, top if action == "uninstall" else version, run))
    found = BackupIndex(stack(entries), records)
    assert [state.version for state in found.states] == [version for version, _ in model]
    for depth, (_, data) in enumerate(model[:-1]):
        backup = found.serving(depth, DB)
        assert isinstance(backup, Backup) == (data is not None)
        assert not isinstance(backup, Backup) or held[backup.run] == data


def test_places_are_relative_and_older_absolute_ones_are_read() -> None:
    here = place("20260101T000000Z-00000000", DB)
    assert here == "deploy/runs/20260101T000000Z-00000000/backup/shop_db"
    assert relative(here) == here
    assert relative(f"/srv/old place/{here}") == here
    for wrong in ("", "/", "/etc", f"{here}/more", f"../{here}", f"{here}/../../x"):
        with pytest.raises(DamagedError, match="backup"):
            relative(wrong)
