"""Hooks that are Jobs, in pods that really run, on data in a volume; state is what kubectl and helm say."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubernetes.apply_jobs import CHARTS, file, job, job_pods, jobs, rows, running_shop
from tests.support.kubernetes.apply_parts import REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.tools.processes import begin, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.root]

BROKEN = {**CHARTS, "web": {**CHARTS["web"], "templates/bad.yaml": REFUSED}}
ENDLESS = "while true; do echo still at it; /bin/busybox sleep 1; done"


@pytest.fixture
def shop(cluster: RealCluster, tmp_path: Path, helm4: Path) -> Iterator[Landscape]:
    with running_shop(cluster, tmp_path, helm4) as made:
        yield made


def state(shop: Landscape) -> tuple[str, ...]:
    return shop.config("db"), shop.config("web"), rows(shop)


OLD = ("1.0.0", "1.0.0", "rows of 1.0.0")
BOTH = dict.fromkeys(CHARTS, "deployed")


def environment(shop: Landscape, hook: str, version: str) -> dict[str, str]:
    """What a hook's Job kept of its environment."""
    lines = (line.partition("=") for line in file(shop, f"{hook}-{version}").splitlines())
    return {name: value for name, _, value in lines if name.startswith("AIRSTORE_")}


def test_jobs_back_up_migrate_and_restore(shop: Landscape) -> None:
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), BROKEN, hooks=jobs(), timeout="60s")
    assert "Refused_When_Real" in shop.run("apply", code=50).err
    assert state(shop) == OLD
    assert shop.helm() == BOTH
    assert job_pods(shop) == []
    told = environment(shop, "preUpgrade", "1.1.0")
    run = told.pop("AIRSTORE_RUN")
    assert (shop.site.path / "deploy" / "runs" / run / "journal.jsonl").is_file()
    assert told == {
        "AIRSTORE_HOOK": "preUpgrade",
        "AIRSTORE_PRODUCT": shop.namespace,
        "AIRSTORE_RELEASE": "db",
        "AIRSTORE_NAMESPACE": shop.namespace,
        "AIRSTORE_VERSION": "1.1.0",
        "AIRSTORE_PREVIOUS": "1.0.0",
    }
    assert environment(shop, "rollback", "1.1.0") == {
        **told,
        "AIRSTORE_HOOK": "rollback",
        "AIRSTORE_RUN": run,
    }

    shop.release("1.2.0", dict.fromkeys(CHARTS, "1.2.0"), CHARTS, hooks=jobs(), timeout="60s")
    shop.run("apply")
    assert state(shop) == ("1.2.0", "1.2.0", "rows of 1.2.0")
    shop.run("rollback")  # from a run of its own, with the backup of the one before
    assert state(shop) == OLD
    backup = environment(shop, "preUpgrade", "1.2.0")["AIRSTORE_RUN"]
    assert environment(shop, "rollback", "1.2.0")["AIRSTORE_RUN"] == backup
    assert job_pods(shop) == []


def test_a_job_that_fails_before_the_upgrade_changes_nothing(shop: Landscape) -> None:
    (shop.site.path / "site.yaml").write_text(
        "apiVersion: airstore/v1\nkind: Site\nvalues: {db: {password: h0rse-battery}}\n"
    )
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), CHARTS, hooks=jobs(), timeout="60s")
    shop.run("apply")  # from now on the pods know the secret
    fails = jobs(preUpgrade="echo cannot log in with $PASSWORD; exit 3")
    shop.release("1.2.0", dict.fromkeys(CHARTS, "1.2.0"), CHARTS, hooks=fails, timeout="60s")
    before = shop.everything()
    failed = shop.run("apply", code=50).err
    assert "nothing was changed" in failed
    assert "cannot log in with (redacted)" in failed
    assert "BackoffLimitExceeded" in failed
    logs = [path.read_text() for path in shop.site.path.glob("deploy/runs/*/logs/db-preUpgrade.log")]
    assert sorted("cannot log in with (redacted)" in log for log in logs) == [False, True]
    assert not any("h0rse" in log for log in logs)
    shop.site.airstore.never_said("h0rse-battery")
    assert shop.everything() == before
    assert job_pods(shop) == []


def test_a_job_that_never_ends_is_ended_with_its_pods(shop: Landscape) -> None:
    endless = jobs(verifyBackup=ENDLESS)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), CHARTS, hooks=endless, timeout="20s")
    before = shop.everything()
    failed = shop.run("apply", code=50).err
    assert "nothing was changed" in failed
    assert f"Job {shop.namespace}/verifybackup did not end within 20 seconds" in failed
    assert "still at it" in failed
    assert shop.everything() == before
    assert job_pods(shop) == []


def test_a_job_does_not_write_on_when_its_airstore_was_killed(shop: Landscape) -> None:
    migrates = "while true; do echo rows of $AIRSTORE_VERSION > /data/table; /bin/busybox sleep 0.1; done"
    endless = jobs(postUpgrade=migrates)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), CHARTS, hooks=endless, timeout="60s")
    running = begin(shop, "apply")
    wait_for(lambda: "job.batch/postupgrade" in job_pods(shop) and rows(shop) == "rows of 1.1.0")
    running.send_signal(signal.SIGKILL)
    running.wait()
    shop.run("rollback")
    assert job_pods(shop) == []
    assert state(shop) == OLD
    assert shop.helm() == BOTH


def test_a_manifest_that_is_not_one_job_is_refused_where_its_author_is(tmp_path: Path, helm4: Path) -> None:
    shop = landscape(RealCluster(tmp_path), tmp_path, helm4, "nowhere")
    hook = json.loads(job("preUpgrade", "true"))
    nameless = {**hook, "metadata": {"generateName": "a-"}}
    for text, why in (
        (json.dumps({**hook, "kind": "CronJob"}), "kind: Job"),
        ("#!/bin/sh\n", "kind: Job"),
        (f"{json.dumps(hook)}\n---\n{json.dumps(hook)}\n", "one YAML document"),
        (json.dumps(nameless), "metadata.name"),
        (json.dumps({**hook, "spec": {"template": {}}}), "containers"),
    ):
        shop.scripts = {"preUpgrade": "backup.yaml"}
        (shop.directory / "product" / "hooks" / "backup.yaml").write_text(text)
        shop.write({"db": "1.0.0"})
        said = shop.publisher("release", "create", "--version", "1.0.0", code=2).err
        assert "hooks/backup.yaml" in said
        assert why in said
