"""What the operator does in each row of the night, and what must be so in its middle."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.support.night.night_real import power_cut
from tests.support.night.night_world import Night
from tests.support.tools.processes import wait_for

SECOND = ", schema 2"  # what the migration of 1.1.0 appends to a row


def again(night: Night) -> None:
    settled(night)


def settled(night: Night, version: str = "1.0.0") -> None:
    """Nothing drifted, and the same release changes nothing."""
    seen = night.run("status", "-o", "json").json
    assert (seen["condition"], seen["running"]) == ("good", version), seen
    assert "nothing to do" in night.apply(version)


def watched(night: Night) -> None:
    process = night.begun("status", "--watch")
    time.sleep(20)
    process.terminate()
    process.wait(timeout=60)


def fails(night: Night, version: str, *words: str) -> str:
    said = night.apply(version, *words, code=50)
    assert "runs again" in said, said
    return said


def crash(night: Night) -> None:
    assert "CrashLoopBackOff" in fails(night, "1.2.0")


def migration(night: Night) -> None:
    fails(night, "1.5.0")


def last(night: Night) -> None:
    fails(night, "1.4.0")


def two_upgrades(night: Night) -> tuple[str, ...]:
    """Returns the rows on 1.1.0."""
    night.apply("1.1.0")
    assert all(row.endswith(SECOND) for row in night.orders())
    night.order("order on 1.1.0")
    between = night.orders()
    night.apply("1.3.0")
    night.order("order on 1.3.0")
    return between


def two_back_twice(night: Night) -> None:
    between = two_upgrades(night)
    night.run("rollback")
    assert night.orders() == between
    settled(night, "1.1.0")
    night.run("rollback")
    settled(night)


def two_back_at_once(night: Night) -> None:
    two_upgrades(night)
    night.run("rollback", "--to", "1.0.0")
    settled(night)


def hook_runs(night: Night) -> bool:
    """The migration's pod is there."""
    names = night.kubectl("get", "pods", "-l", "app=app-migration", "-o", "name")
    return bool(names.split())


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def killed(night: Night) -> None:
    process = night.begun("apply", "--release", "1.1.0")
    wait_for(lambda: hook_runs(night), 120)
    kill(process)
    night.apply("1.1.0")
    assert all(row.count("schema") == 1 for row in night.orders())
    settled(night, "1.1.0")
    night.run("rollback")


def killed_back(night: Night) -> None:
    process = night.begun("apply", "--release", "1.2.0")
    wait_for(lambda: "restored" in newest_journal(night) or "rollback-hook" in newest_journal(night), 150)
    kill(process)
    fails(night, "1.2.0")


def newest_journal(night: Night) -> str:
    newest = max(night.site.path.glob("deploy/runs/*/journal.jsonl"), key=lambda path: path.stat().st_mtime)
    return newest.read_text()


def patch(night: Night, what: str, document: Mapping[str, object]) -> None:
    night.kubectl("patch", *what.split(), "--type=strategic", "-p", json.dumps(document))


def edited(night: Night) -> None:
    patch(night, "secret database-auth", {"stringData": {"password": "by-hand"}})
    patch(night, "deployment cache", {"spec": {"replicas": 0}})
    other = {"name": "panel", "image": "registry.example.com/bakery/none:9"}
    patch(night, "deployment panel", {"spec": {"template": {"spec": {"containers": [other]}}}})
    repaired(night, 61)  # the panel's new pod cannot be pulled


def deleted(night: Night) -> None:
    night.kubectl("delete", "service/app", "deployment/cache", "secret/database-auth", "secret/cache-auth")
    repaired(night, 61)  # the cache is not there


def repaired(night: Night, code: int) -> None:
    """``status`` tells, a plain apply tells and leaves it, ``--repair`` puts it back."""
    seen = night.run("status", "-o", "json", code=code).json
    drifted = {each["name"] for each in seen["releases"] if each["drift"]}
    assert {"database", "cache"} <= drifted
    before = night.get("secret,deployment,service")["items"]
    assert "apply --repair" in night.apply("1.0.0")
    left = night.get("secret,deployment,service")["items"]
    assert [each["metadata"]["name"] for each in left] == [each["metadata"]["name"] for each in before]
    night.apply("1.0.0", "--repair")
    settled(night)


def helm_rollback(night: Night) -> None:
    night.apply("1.1.0")
    revision = night.seen().helm["app"][0]
    night.by_hand("rollback", "app", str(revision - 1))
    wait_for(lambda: "app" not in night.seen().ready, 60)  # the old program does not know the new schema
    disturbed = night.run("status", "-o", "json", code=61).json["releases"]
    assert [each["name"] for each in disturbed if each["disturbed"]] == ["app"]
    night.apply("1.1.0")
    settled(night, "1.1.0")
    night.run("rollback")


def no_database(night: Night) -> None:
    night.kubectl("delete", "statefulset/database", "pvc/data-database-0")
    assert "nothing was changed" in night.apply("1.1.0", code=50)
    night.apply("1.0.0", "--repair", "--skip-backup", "database", "--yes")
    wait_for(lambda: len(night.seen().ready) == 4, 90)
    settled(night)


def uninstalled(night: Night) -> None:
    night.run("uninstall")
    assert night.helm() == {}
    assert "running: nothing" in night.run("apply", "--release", "1.0.0", "--dry-run").out
    night.apply("1.0.0")
    settled(night)


def no_backups(night: Night) -> None:
    night.apply("1.1.0")
    before = night.seen()
    kept = [path for path in night.site.path.glob("deploy/runs/*/backup") if any(path.iterdir())]
    for path in kept:
        path.rename(path.with_name("elsewhere"))
    assert "gone" in night.run("rollback", code=50).err
    assert night.seen() == before
    for path in kept:
        shutil.move(path.with_name("elsewhere"), path)
    night.run("rollback")


def no_images(night: Night) -> None:
    night.apply("1.1.0")
    repository = night.directory / "volume" / "docker" / "registry" / "v2" / "repositories" / "bakery" / "app"
    assert repository.is_dir()
    shutil.rmtree(repository)
    night.api.kubectl("-n", f"{night.namespace}-registry", "rollout", "restart", "deployment/registry")
    registry_back(night)
    forget(night, "bakery/app:1.0.0")
    before = night.seen()
    assert "going back to 1.0.0" in night.run("rollback", "--no-push", code=50).err
    assert night.seen() == before
    night.run("rollback")


def forget(night: Night, name: str) -> None:
    """Have the node lose an image."""
    base = ["ctr", "--address", str(night.cluster.socket), "--namespace", "k8s.io", "images"]
    listed = subprocess.run([*base, "list", "--quiet"], capture_output=True, text=True, check=True).stdout
    found = [each for each in listed.split() if name in each]
    assert found
    subprocess.run([*base, "remove", "--sync", *found], check=True, capture_output=True)


def registry_back(night: Night) -> None:
    words = ("rollout", "status", "deployment/registry", "--timeout=90s")
    night.api.kubectl("-n", f"{night.namespace}-registry", *words)


def scale_registry(night: Night, replicas: int) -> None:
    words = ("scale", "deployment/registry", f"--replicas={replicas}")
    night.api.kubectl("-n", f"{night.namespace}-registry", *words)


def no_registry(night: Night) -> None:
    before = night.seen()
    scale_registry(night, 0)
    pods = ("wait", "--for=delete", "pod", "--all", "--timeout=60s")
    night.api.kubectl("-n", f"{night.namespace}-registry", *pods)
    assert "no pod of the registry is ready" in night.apply("1.1.0", code=10)
    assert night.seen() == before
    scale_registry(night, 1)
    registry_back(night)
    night.apply("1.1.0")
    night.run("rollback")


def runs_since(night: Night, namespace: str, cut: str) -> bool:
    """Whether all its pods run again; what the API server says of them may be older than the cut."""
    pods = night.api.json("get", "pods", "-n", namespace)["items"]
    lasting = [pod for pod in pods if pod["status"]["phase"] != "Succeeded"]
    containers = [each for pod in lasting for each in pod["status"].get("containerStatuses", ())]
    return bool(containers) and all(
        each["ready"] and each["state"].get("running", {}).get("startedAt", "") >= cut for each in containers
    )


def node_restarts(night: Night) -> None:
    cut = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    power_cut(night.cluster)
    for namespace in (f"{night.namespace}-registry", night.namespace):
        wait_for(partial(runs_since, night, namespace, cut), 240)
    wait_for(lambda: len(night.seen().ready) == 4, 180)
    settled(night)


def node_restarts_amid(night: Night) -> None:
    process = night.begun("apply", "--release", "1.1.0")
    wait_for(lambda: night.helm().get("app") == "pending-upgrade", 120)  # Helm has begun a revision
    cut = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    power_cut(night.cluster)
    process.wait(timeout=300)
    wait_for(lambda: runs_since(night, f"{night.namespace}-registry", cut), 240)
    night.apply("1.1.0")
    assert all(row.count("schema") == 1 for row in night.orders())
    night.run("rollback")


def adopted(night: Night) -> None:
    refused = night.apply("1.0.0", code=50)
    assert "apply --adopt" in refused
    assert "uninstall" not in refused
    night.apply("1.0.0", "--adopt")
    settled(night)


def adopted_upgraded(night: Night) -> None:
    night.apply("1.1.0", "--adopt")
    assert all(row.endswith(SECOND) for row in night.orders())
    night.run("rollback")


def adopted_crash(night: Night) -> None:
    fails(night, "1.2.0", "--adopt")


def other_helm(night: Night) -> None:
    program = night.site.airstore.helm
    other = {"helm3": "helm4", "helm4": "helm3"}[program.name]
    changed = night.with_helm(Path(program).with_name(other))
    settled(changed)
    changed.apply("1.3.0")
    changed.run("rollback")
    settled(changed)
