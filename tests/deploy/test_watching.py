"""What a wait shows, and when it is of no use to go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from airstore.core.errors import DeployError, TransferError
from airstore.core.kube.sights import Cause, Sight, Trouble
from airstore.core.model.release import HelmRelease
from airstore.deploy.helm.reason import reason, tidied
from airstore.deploy.model.redact import Redactor
from airstore.deploy.waiting.watching import PATIENCE, Stage, WaitProgress, Watch, watching_hook
from tests.support.kubernetes.conformance import workload
from tests.support.kubernetes.deploy_world import FastClock, MemoryCluster, make_target

HELM = HelmRelease("web", "shop", "web", timeout="100s")
TARGET, _ = make_target(HELM, "1.1.0", [workload("Deployment", "web")])


@dataclass
class Shown:
    """A display that remembers."""

    lines: list[WaitProgress] = field(default_factory=list)

    def show(self, progress: WaitProgress) -> None:
        self.lines.append(progress)

    def clear(self) -> None:
        """Nothing is kept for that."""


@dataclass
class Scene:
    """One workload, time, and what is shown."""

    cluster: MemoryCluster = field(default_factory=MemoryCluster)
    clock: FastClock = field(default_factory=FastClock)
    shown: Shown = field(default_factory=Shown)

    def __post_init__(self) -> None:
        self.cluster.apply(workload("Deployment", "web"), "shop")

    def sight(self, mark: str = "1", *troubles: Trouble, said: str = "") -> None:
        self.cluster.sights["web"] = Sight("Deployment web", mark, 0, 2, troubles, said)

    @property
    def stage(self) -> Stage:
        return Stage(self.cluster, self.clock, self.shown, Redactor(frozenset({"h0rse-battery"})))

    def watch(self, grace: Mapping[Cause, float] | None = None, *, changed: bool = False) -> Watch:
        return Watch(self.stage, "upgrade shop/web", TARGET, grace=grace, changed=changed)

    def ended(self, watch: Watch, limit: float = 90) -> tuple[float, str]:
        """After how long the watch ends the wait, and what it says; never: the limit."""
        while self.clock.now() < limit:
            self.clock.sleep(1)
            try:
                watch()
            except DeployError as fault:
                return self.clock.now(), str(fault)
        return limit, ""


def trouble(cause: Cause, text: str = "it is so", subject: str = "pod web-1") -> Trouble:
    return Trouble(cause, subject, text)


@pytest.mark.parametrize(
    ("cause", "least", "most"),
    [
        (Cause.CRASH, 1, 4),
        (Cause.FAILED, 1, 4),
        (Cause.IMAGE, 30, 36),
        (Cause.REFUSED, 30, 36),
        (Cause.UNSCHEDULABLE, 60, 66),
        (Cause.OTHER, 90, 90),
    ],
)
def test_what_no_time_will_cure_ends_the_wait(cause: Cause, least: float, most: float) -> None:
    scene = Scene()
    watch = scene.watch(PATIENCE, changed=True)
    scene.sight("2", trouble(cause), said="password h0rse-battery refused")
    when, said = scene.ended(watch)
    assert least <= when <= most
    if when < 90:
        assert "because no time will cure this: Deployment web: it is so" in said
        assert said.endswith("it said: password (redacted) refused")


def test_what_has_not_changed_is_old_and_what_passes_is_forgiven() -> None:
    scene = Scene()
    scene.sight("1", trouble(Cause.CRASH))
    watch = scene.watch(PATIENCE, changed=True)
    assert scene.ended(watch, 20) == (20, "")  # until Helm has changed it, its pods are the old ones
    scene.sight("2", trouble(Cause.IMAGE))
    assert scene.ended(watch, 40) == (40, "")
    scene.sight("2")
    assert scene.ended(watch, 44) == (44, "")
    scene.sight("2", trouble(Cause.IMAGE))
    when, _ = scene.ended(watch)
    assert when >= 74, "it began anew"


def test_nothing_ends_early_where_that_is_not_wanted() -> None:
    scene = Scene()
    scene.sight("1", trouble(Cause.CRASH))
    assert scene.ended(scene.watch()) == (90, "")
    assert scene.shown.lines[-1].reason == "it is so"


@pytest.mark.parametrize(
    ("cause", "when"),
    [(Cause.IMAGE, 30), (Cause.UNSCHEDULABLE, 60), (Cause.FAILED, 90), (Cause.CRASH, 90)],
)
def test_a_hooks_job_that_can_never_begin_ends_the_wait(cause: Cause, when: float) -> None:
    """One that fails says so itself, and with its log."""
    scene = Scene()
    job = workload("Job", "backup")
    scene.cluster.apply(job, "shop")
    scene.cluster.sights["backup"] = Sight("Job backup", "1", 0, 1, (trouble(cause),), "dumped 3 of 9 tables")
    watch = watching_hook(scene.stage, "backup shop/web", TARGET)([job])
    assert scene.ended(watch)[0] == pytest.approx(when, abs=6)
    assert str(scene.shown.lines[-1]).endswith("0 of 1 pods ready; it is so; it said: dumped 3 of 9 tables")


def test_what_helm_noticed_first_is_told_all_the_same() -> None:
    """It ends at once where a Job failed, before anybody has looked."""
    scene = Scene()
    scene.sight("1")
    watch = scene.watch(PATIENCE, changed=True)
    scene.sight("2", trouble(Cause.FAILED, "it failed: BackoffLimitExceeded"), said="no such table")
    assert watch.why() == "Deployment web: it failed: BackoffLimitExceeded; it said: no such table"
    scene.sight("1", trouble(Cause.CRASH))
    assert watch.why() == ""


def test_a_hooks_script_shows_its_time_and_nothing_of_the_release() -> None:
    scene = Scene()
    scene.sight("1", trouble(Cause.CRASH))
    watch = watching_hook(scene.stage, "backup shop/web", TARGET)(())
    assert scene.ended(watch, 20) == (20, "")
    assert str(scene.shown.lines[-1]) == "backup shop/web: 20 s, 80 s left"


def test_an_api_server_that_restarts_ends_no_wait() -> None:
    class Away(MemoryCluster):
        def look(self, _document: Any, _namespace: str) -> Sight | None:
            raise TransferError("it restarts")

    scene = Scene(cluster=Away())
    assert scene.ended(scene.watch(PATIENCE, changed=True)) == (90, "")


def test_progress_says_how_it_stands() -> None:
    scene = Scene()
    scene.sight("1", said="waiting for h0rse-battery")
    watch = scene.watch()
    scene.clock.sleep(10)
    watch("deployment web: 0 of 2 pods are available")
    assert str(scene.shown.lines[-1]) == (
        "upgrade shop/web: 10 s, 90 s left; 0 of 2 pods ready; deployment web: 0 of 2 pods are available; "
        "it said: waiting for (redacted)"
    )
    later = WaitProgress("upgrade shop/web", 70, 30, 0, 2, "back-off 20s restarting")
    assert later.news == WaitProgress("upgrade shop/web", 71, 29, 0, 2, "back-off 40s restarting").news
    assert later.news != WaitProgress("upgrade shop/web", 71, 29, 1, 2, "back-off 40s restarting").news


def test_helm_says_why_once_and_pods_say_it_better() -> None:
    said = (
        "upgrade shop/web: helm: UPGRADE FAILED: resource Deployment/shop/web not ready. status: InProgress\n"
    )
    said += "context deadline exceeded"
    assert reason(TARGET, said, "deployment web: crashed") == (
        "shop/web is not ready after 100s: deployment web: crashed"
    )
    failed = 'upgrade shop/web: helm: level=WARN msg="upgrade failed" error="resource Job/shop/a not ready"\n'
    failed += "resource Job/shop/a not ready. status: Failed"
    assert reason(TARGET, failed, "Job a: it failed") == "shop/web is not ready: Job a: it failed"
    assert tidied(failed) == "upgrade shop/web: helm: resource Job/shop/a not ready. status: Failed"
    refused = 'helm: UPGRADE FAILED: 1 error occurred:\n\t* admission webhook "x" denied: no\n\n'
    assert tidied(refused) == 'helm: admission webhook "x" denied: no'
    assert reason(TARGET, refused, "") == tidied(refused)
    assert reason(TARGET, refused, "db: down") == f"{tidied(refused)}\ndb: down"
    assert tidied("a\nb\na\n") == "a\nb"
