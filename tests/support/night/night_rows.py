"""The operator's night as a table: what changes, what fails, what the operator does, what is the same after.

A row begins with release 1.0.0 running and ends with it; what is compared is what kubectl and Helm say before
and after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.support.night import night_acts as acts
from tests.support.night.bakery import HELM_RELEASES
from tests.support.night.night_world import Night, Seen

ALL = frozenset(HELM_RELEASES)
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        act: what the operator does.
        orders: what the database's rows are afterwards, from what they were.
        rolled: Helm releases that have another pod afterwards; every other one has the same.
        passwords: Secrets that have another password afterwards; all others have the same.
        revisions: Helm release to how many revisions more it has; every other one has none more.
        perhaps: how many on top of these are as good, where time decides what a run could still do itself.
        anew: Helm begins to count again.
        real: it needs nodes that run pods and pull images.
        by_hand: the old shell procedure has installed what runs before, and not airstore.
    """

    name: str
    change: str
    fails: str
    does: str
    act: Callable[[Night], None]
    orders: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda before: before
    rolled: frozenset[str] = NONE
    passwords: frozenset[str] = NONE
    revisions: Mapping[str, int] = field(default_factory=dict)
    perhaps: Mapping[str, int] = field(default_factory=dict)
    anew: bool = False
    real: bool = False
    by_hand: bool = False


def differences(row: Row, before: Seen, after: Seen) -> list[str]:
    """What is not as the row says; nothing if all of it is."""
    found = []
    if after.orders != row.orders(before.orders):
        found.append(f"rows: {before.orders} became {after.orders}")
    changed = {name for name in before.passwords if after.passwords.get(name) != before.passwords[name]}
    if changed != row.passwords:
        found.append(f"other passwords: {sorted(changed)}, not {sorted(row.passwords)}")
    rolled = {name for name in ALL if after.pods.get(name) != before.pods.get(name)}
    if rolled != row.rolled:
        found.append(f"other pods: {sorted(rolled)}, not {sorted(row.rolled)}")
    first = dict.fromkeys(ALL, 0) if row.anew else {name: before.helm[name][0] for name in ALL}
    more = {name: after.helm[name][0] - first[name] for name in ALL & after.helm.keys()}
    more = {name: count for name, count in more.items() if count}
    spare = {name: more.get(name, 0) - count for name, count in row.revisions.items()}
    if more.keys() != row.revisions.keys() or any(
        not 0 <= count <= row.perhaps.get(name, 0) for name, count in spare.items()
    ):
        found.append(f"more revisions: {more}, not {dict(row.revisions)}")
    charts = {name: after.helm.get(name, (0, "absent", "none"))[1:] for name in ALL}
    wanted = {name: ("deployed", before.helm[name][2]) for name in ALL}
    if charts != wanted:
        found.append(f"charts: {charts}, not {wanted}")
    if after.ready != ALL:
        found.append(f"ready: {sorted(after.ready)}")
    return found


class Table:
    """Runs rows one after another on one site.

    Args:
        night: nothing has been applied there yet.
    """

    def __init__(self, night: Night) -> None:
        self._night = night
        self._clean = False  # whether 1.0.0 runs there, undisturbed

    def run(self, row: Row) -> list[str]:
        """Run one; returns what is not as it says."""
        if row.by_hand or not self._clean:
            self._clean = False
            self._night.set_up(row.by_hand)
        self._clean, before = False, self._night.seen()
        row.act(self._night)
        found = differences(row, before, self._night.seen())
        self._clean = not found and self._night.running() == "1.0.0"
        return found


_APP = frozenset({"app", "panel"})  # what needs a database whose rows come back starts again, too

ROWS = (
    Row("again", "nothing", "nothing", "applies once more", acts.again),
    Row("watched", "nothing", "nothing", "`status --watch`, for 20 s", acts.watched),
    Row(
        "crash",
        "application",
        "its pods, after the migration",
        "nothing",
        acts.crash,
        rolled=_APP,
        revisions={"app": 2},
    ),
    Row(
        "migration",
        "application",
        "its migration, half done",
        "nothing",
        acts.migration,
        rolled=_APP,
        revisions={"app": 2},
    ),
    Row(
        "last",
        "everything",
        "the last chart's pods",
        "nothing",
        acts.last,
        rolled=ALL,
        revisions=dict.fromkeys(HELM_RELEASES, 2),
    ),
    Row(
        "two-back-twice",
        "application, then everything",
        "nothing",
        "rolls back twice",
        acts.two_back_twice,
        rolled=ALL,
        revisions={**dict.fromkeys(HELM_RELEASES, 2), "app": 4},
    ),
    Row(
        "two-back-at-once",
        "application, then everything",
        "nothing",
        "`rollback --to` the first",
        acts.two_back_at_once,
        rolled=ALL,
        revisions={**dict.fromkeys(HELM_RELEASES, 2), "app": 3},
    ),
    Row(
        "killed",
        "application",
        "nothing",
        "`kill -9` while the migration runs, applies again; rolls back",
        acts.killed,
        rolled=_APP,
        revisions={"app": 3},
    ),
    Row(
        "killed-back",
        "application",
        "its pods",
        "`kill -9` while it goes back, applies again",
        acts.killed_back,
        rolled=_APP,
        revisions={"app": 2},
    ),
    Row(
        "edited",
        "nothing",
        "nothing",
        "`kubectl patch` of a Secret, an image, replicas; `apply --repair`",
        acts.edited,
        rolled=frozenset({"cache"}),
    ),
    Row(
        "deleted",
        "nothing",
        "nothing",
        "deletes a Service, a Deployment, both Secrets; `apply --repair`",
        acts.deleted,
        rolled=frozenset({"cache"}),
    ),
    Row(
        "helm-rollback",
        "application",
        "nothing",
        "`helm rollback` by hand, applies again; rolls back",
        acts.helm_rollback,
        rolled=_APP,
        revisions={"app": 4},
    ),
    Row(
        "no-database",
        "application",
        "the backup: no database",
        "deletes StatefulSet and volume; `apply --repair --skip-backup`",
        acts.no_database,
        orders=lambda _: ("order 1",),
        rolled=frozenset({"database"}),
    ),
    Row(
        "uninstalled",
        "nothing",
        "nothing",
        "uninstalls, applies",
        acts.uninstalled,
        rolled=ALL,
        revisions=dict.fromkeys(HELM_RELEASES, 1),
        anew=True,
    ),
    Row(
        "no-backups",
        "application",
        "the rollback: backups are gone",
        "puts them back, rolls back",
        acts.no_backups,
        rolled=_APP,
        revisions={"app": 2},
    ),
    Row(
        "no-images",
        "application",
        "nothing",
        "old images gone from registry and node; rolls back",
        acts.no_images,
        real=True,
        rolled=_APP,
        revisions={"app": 2},
    ),
    Row(
        "no-registry",
        "application",
        "the preflight: no registry",
        "starts it again, applies; rolls back",
        acts.no_registry,
        real=True,
        rolled=_APP,
        revisions={"app": 2},
    ),
    Row("power-cut", "nothing", "the node", "starts the node again", acts.node_restarts, real=True),
    Row(
        "power-cut-amid",
        "application",
        "the node, in the middle",
        "starts it again, applies; rolls back",
        acts.node_restarts_amid,
        real=True,
        rolled=_APP,
        revisions={"app": 2},
        perhaps={
            "app": 2
        },  # one that Helm had begun, and one where the run that was cut still went back itself
    ),
    Row("adopted", "nothing", "nothing", "`apply --adopt`", acts.adopted, by_hand=True),
    Row(
        "adopted-upgraded",
        "application",
        "nothing",
        "`apply --adopt`, rolls back",
        acts.adopted_upgraded,
        rolled=_APP,
        revisions={"app": 2},
        by_hand=True,
    ),
    Row(
        "adopted-crash",
        "application",
        "its pods, after the migration",
        "`apply --adopt`",
        acts.adopted_crash,
        rolled=_APP,
        revisions={"app": 2},
        by_hand=True,
    ),
    Row(
        "other-helm",
        "everything",
        "nothing",
        "upgrades with the other Helm, rolls back with it",
        acts.other_helm,
        rolled=ALL,
        revisions=dict.fromkeys(HELM_RELEASES, 2),
    ),
)
