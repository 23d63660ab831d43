"""Backups of what stays while others change it; which one is restored; what is said where there is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_parts import HOOKS, REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

BAD = {"web": {"templates/bad.yaml": REFUSED}}
MIGRATES = {"preUpgrade": "backup.sh", "verifyBackup": "verify.sh", "rollback": "restore.sh"}


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm4: Path, namespace: str) -> Landscape:
    """Release 1.0.0 runs: a database that keeps its chart, an application that migrates it, and a third."""
    made = landscape(api, tmp_path, helm4, namespace)
    made.scripts, made.others = MIGRATES, {"app": {"postUpgrade": "migrate.sh"}}
    release(made, "1.0.0")
    made.run("apply")
    assert state(made) == ("1.0.0", "1.0.0", "1.0.0", "rows of 1.0.0")
    return made


def release(shop: Landscape, version: str, more: Any = None, **options: Any) -> None:
    """The database's chart stays as it is."""
    shop.release(version, {"db": "1.0.0", "app": version, "web": version}, more, **options)


def state(shop: Landscape) -> tuple[str, ...]:
    return (*(shop.config(name) for name in ("db", "app", "web")), shop.table())


def revisions(shop: Landscape) -> dict[str, str]:
    """Helm release to its revision, as Helm says."""
    return {each["name"]: each["revision"] for each in json.loads(shop.by_hand("list", "-o", "json"))}


def backups(shop: Landscape) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = shop.site("backup", "list", "-o", "json").json
    return listed


def overwrite(shop: Landscape, rows: str) -> None:
    """What the product's users do between releases."""
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "database"}}
    shop.api.kubectl("apply", "-n", shop.namespace, "-f", "-", stdin={**document, "data": {"table": rows}})


def test_rows_that_an_application_migrated_come_back_and_the_database_is_not_installed_again(
    shop: Landscape,
) -> None:
    overwrite(shop, "orders of today")
    release(shop, "1.1.0", BAD)
    assert shop.run("apply", "--dry-run", "-o", "json").json["backups"] == [f"{shop.namespace}/db"]
    skipping = ("apply", "--dry-run", "--skip-backup", "db", "-o", "json")
    assert shop.run(*skipping).json["backups"] == []
    failed = shop.run("apply", code=50).err
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "orders of today")
    assert revisions(shop)["db"] == "1"
    assert "release 1.0.0 runs again" in failed
    assert f"{shop.namespace}/app: app-1.0.0 deployed, healthy" in failed
    assert [(each["state"], each["verified"], each["serves"]) for each in backups(shop)] == [
        ("1.0.0", True, [])
    ]


def test_each_rollback_goes_further_back_with_the_rows_of_its_release(shop: Landscape) -> None:
    for version in ("1.1.0", "1.3.0"):
        overwrite(shop, f"orders before {version}")
        release(shop, version)
        shop.run("apply")
    assert [(each["state"], each["serves"]) for each in backups(shop)] == [
        ("1.1.0", ["1.1.0"]),
        ("1.0.0", ["1.0.0"]),
    ]
    planned = shop.run("rollback", "--dry-run", "-o", "json").json
    assert planned["version"] == "1.1.0"
    assert planned["restores"] == {f"{shop.namespace}/db": backups(shop)[0]["run"]}
    shop.run("rollback")
    assert state(shop) == ("1.0.0", "1.1.0", "1.1.0", "orders before 1.3.0")
    shop.run("rollback")
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "orders before 1.1.0")
    assert "what did: nothing" in shop.run("rollback", code=10).err
    shop.run("apply")
    assert shop.table() == "rows of 1.3.0"
    shop.run("rollback", "--to", "1.0.0")
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "orders before 1.1.0")


def test_a_backup_that_is_gone_is_named_and_another_one_can_be_chosen(shop: Landscape) -> None:
    for version in ("1.1.0", "1.3.0"):
        release(shop, version)
        shop.run("apply")
    second, first = backups(shop)
    shop.run("backup", "verify")
    (
        shop.site.path / "deploy" / "runs" / second["run"] / "backup" / f"{shop.namespace}_db" / "table"
    ).write_text("")
    bad = shop.run("backup", "verify", code=20).err.partition("not good")[2]
    assert second["run"] in bad
    assert first["run"] not in bad
    shutil.rmtree(shop.site.path / "deploy" / "runs" / second["run"] / "backup")
    assert "gone from disk" in shop.run("backup", "verify", second["run"], code=20).err
    before = shop.everything()
    for words in (("rollback",), ("rollback", "--dry-run")):
        failed = shop.run(*words, code=50).err
        assert "nothing was changed" in failed
        assert f"{shop.namespace}/db" in failed
        assert "--backup RUN" in failed
        assert "--keep-data" in failed
    assert "made no backup" in shop.run("rollback", "--backup", "20200101T000000Z-00000000", code=10).err
    assert shop.everything() == before
    assert "holds the data of 1.0.0, not of 1.1.0" in shop.run("rollback", "--backup", first["run"]).err
    assert state(shop) == ("1.0.0", "1.1.0", "1.1.0", "rows of 1.0.0")


def test_without_a_backup_a_rollback_keeps_data_only_when_told_to(shop: Landscape) -> None:
    broken = {"backup.sh": "#!/bin/sh\necho there is no database; exit 1\n"}
    release(shop, "1.1.0", hooks=broken)
    assert "there is no database" in shop.run("apply", code=50).err
    asked = shop.run("apply", "--skip-backup", "db", code=2).err
    assert f"the data of {shop.namespace}/db stay as the failed upgrade left them" in asked
    assert "--yes" in asked
    assert "no backup hook of 'web'" in shop.run("apply", "--skip-backup", "web", "--yes", code=2).err
    assert "no Helm release 'none'" in shop.run("apply", "--skip-backup", "none", "--yes", code=2).err
    shop.run("apply", "--skip-backup", "db", "--yes")
    assert state(shop) == ("1.0.0", "1.1.0", "1.1.0", "rows of 1.1.0")
    release(shop, "1.2.0")
    shop.run("apply")
    shop.run("rollback")  # 1.1.0 has a backup
    failed = shop.run("rollback", code=50).err  # what it holds was written by 1.1.0, and is not 1.0.0's
    assert f"no backup of {shop.namespace}/db from when 1.0.0 ran" in failed
    assert "--yes" in shop.run("rollback", "--skip-backup", f"{shop.namespace}/db", code=2).err
    shop.run("rollback", "--keep-data")
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "rows of 1.1.0")


def test_data_that_were_given_up_are_named_when_the_run_fails_and_when_it_is_resumed(shop: Landscape) -> None:
    release(shop, "1.1.0", BAD)
    shop.killed_at(12, "apply", "--skip-backup", "db", "--yes")
    other = shop.run("rollback", "--dry-run", code=2).err
    assert "has not ended" in other
    failed = shop.run("apply", code=50).err
    assert f"the data of {shop.namespace}/db stay as the failed upgrade left them" in failed
    assert "release 1.0.0 runs again" in failed
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "rows of 1.1.0")
    assert backups(shop) == []


def test_a_restore_that_never_succeeds_can_be_given_up(shop: Landscape) -> None:
    release(shop, "1.1.0", BAD, hooks={"restore.sh": "#!/bin/sh\necho the dump is cut off; exit 1\n"})
    assert "the dump is cut off" in shop.run("apply", code=51).err
    shutil.rmtree(shop.site.path / "deploy" / "runs" / backups(shop)[0]["run"] / "backup")
    gone = shop.run("rollback", code=51).err
    assert "gone from disk" in gone  # the script is not run on an empty directory
    assert "the dump is cut off" not in gone.rpartition("airstore: ")[2]
    assert "no Helm release" in shop.run("rollback", "--skip-backup", "x", "--yes", code=2).err
    assert "that it made itself" in shop.run("rollback", "--backup", backups(shop)[0]["run"], code=2).err
    shop.run("rollback", "--skip-backup", "db", "--yes")
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "rows of 1.1.0")


def test_old_backups_are_pruned_by_policy_but_none_that_a_rollback_needs(shop: Landscape) -> None:
    for version in ("1.1.0", "1.2.0"):
        release(shop, version, BAD)
        shop.run("apply", code=50)
    assert "--keep" in shop.site("backup", "prune", code=2).err
    (shop.site.path / "site.yaml").write_text("apiVersion: airstore/v1\nkind: Site\nbackups: {keep: 1}\n")
    left = shop.site.path / "deploy" / "runs" / backups(shop)[0]["run"] / "backup.pruning"
    left.mkdir()  # by a prune that was killed
    release(shop, "1.3.0")
    said = shop.run("apply").err
    assert not left.exists()
    third, second, first = backups(shop)
    assert [each["kept"] for each in (third, second, first)] == ["store", "pruned", "pruned"]
    assert f"pruned the backups of run {second['run']}" in said
    release(shop, "1.4.0")
    shop.run("apply")
    assert [each["kept"] for each in backups(shop)[:2]] == ["store", "store"]
    assert shop.site("backup", "prune", "--states", "1", "--dry-run", "-o", "json").json == [
        {"run": third["run"]}
    ]
    assert "gone" not in str(backups(shop))
    shop.run("rollback", "--to", "1.0.0")
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "rows of 1.0.0")


def test_after_an_uninstall_nothing_runs_and_nothing_says_otherwise(shop: Landscape) -> None:
    gone = shop.run("uninstall").out
    assert "running: nothing" in gone
    assert gone.count("absent") == 3
    for words in (("plan",), ("apply", "--dry-run"), ("status",)):
        said = (shop.site(*words) if words == ("plan",) else shop.run(*words)).out
        assert "running: nothing" in said, words
        assert "running: 1.0.0" not in said
    assert "nothing runs" in shop.run("rollback", code=10).err
    release(shop, "1.1.0", BAD)
    failed = shop.run("apply", code=50).err
    assert "nothing runs, as before" in failed
    assert "runs again" not in failed
    assert failed.count("absent") == 3
    assert shop.helm() == {}
    previous = {"migrate.sh": HOOKS["migrate.sh"].replace("rows of", "$AIRSTORE_PREVIOUS, then")}
    release(shop, "1.2.0", hooks=previous)
    shop.run("apply")
    assert shop.table() == "1.0.0, then 1.2.0"
    # There is no backup of what was installed over the volumes that had stayed.
    assert "no backup" in shop.run("rollback", code=50).err
    shop.run("rollback", "--keep-data")
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "1.0.0, then 1.2.0")


def test_what_dies_after_it_was_healthy_is_not_said_to_run(shop: Landscape) -> None:
    """Somebody deletes a Helm release while the run that goes back is at the next one."""
    kill = f"helm uninstall -n {shop.namespace} db --kubeconfig $KUBECONFIG"
    kill = kill.replace("helm ", f"{shop.site.airstore.helm} ", 1)
    hooks = {"restore.sh": HOOKS["restore.sh"] + f"{kill}\n"}
    release(shop, "1.1.0", BAD, hooks=hooks)
    failed = shop.run("apply", code=50).err
    assert "runs again:" not in failed
    assert f"{shop.namespace}/db: absent" in failed
    assert f"{shop.namespace}/app: app-1.0.0 deployed, healthy" in failed
