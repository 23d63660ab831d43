"""Faults on a real API server: afterwards the state is what it was, and every message says what to do."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.support.kubernetes.apply_parts import ENDLESS, HOOKS, REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.product.e2e_road import Store
from tests.support.tools.processes import begin, wait_for

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

PAIR = ("db", "web")
OLD = ("1.0.0", "1.0.0", "rows of 1.0.0")


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm4: Path, namespace: str) -> Landscape:
    """Release 1.0.0 runs."""
    made = landscape(api, tmp_path, helm4, namespace)
    made.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"))
    made.run("apply")
    return made


def state(shop: Landscape) -> tuple[str, ...]:
    return (*(shop.config(name) for name in PAIR), shop.table())


@pytest.mark.parametrize(
    ("script", "text", "said"),
    [
        ("backup.sh", "#!/bin/sh\necho no space for a dump; exit 1\n", "no space for a dump"),
        ("verify.sh", "#!/bin/sh\necho the dump has no end; exit 1\n", "the dump has no end"),
        ("backup.sh", "#!/bin/sh\nsleep 1000\n", "3 seconds"),
    ],
)
def test_a_failed_backup_changes_nothing(shop: Landscape, script: str, text: str, said: str) -> None:
    before = shop.everything()
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), hooks={script: text}, timeout="3s")
    failed = shop.run("apply", code=50)
    assert "nothing was changed" in failed.err
    assert said in failed.err
    assert shop.everything() == before


def test_a_schema_that_lies_elsewhere_stops_no_site(shop: Landscape) -> None:
    """Nobody answers there; Helm by itself would not render the chart."""
    schema = {"web": {"values.schema.json": '{"$ref": "http://127.0.0.1:1/schema.json"}'}}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), schema)
    shop.site("plan")
    shop.run("apply", "--dry-run")
    shop.run("apply")
    assert state(shop) == ("1.1.0", "1.1.0", "rows of 1.1.0")
    assert "nothing to do" in shop.run("apply").out


def test_a_failed_post_upgrade_hook_goes_back(shop: Landscape) -> None:
    shop.release(
        "1.1.0", dict.fromkeys(PAIR, "1.1.0"), hooks={"migrate.sh": HOOKS["migrate.sh"] + "exit 1\n"}
    )
    assert "postUpgrade" in shop.run("apply", code=50).err
    assert state(shop) == OLD


def test_a_way_back_that_fails_calls_for_the_operator_and_goes_on_when_told(shop: Landscape) -> None:
    flag = shop.directory / "broken"
    flag.touch()
    hooks = {"restore.sh": HOOKS["restore.sh"].replace("set -eu", f"set -eu\ntest ! -e {flag}")}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": {"templates/bad.yaml": REFUSED}}, hooks=hooks)
    failed = shop.run("apply", code=51)
    assert f"airstore -C {shop.site.path} rollback --kubeconfig" in failed.err
    assert f"{shop.namespace}/db: " in failed.err
    again = shop.run("apply", code=51)
    assert "rollback --kubeconfig" in again.err
    flag.unlink()
    shop.run("rollback")
    assert state(shop) == OLD
    assert shop.helm() == dict.fromkeys(PAIR, "deployed")


def test_a_killed_helm_leaves_a_pending_release_that_is_repaired(shop: Landscape) -> None:
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": {"templates/hook.yaml": ENDLESS}})
    running = begin(shop, "apply")
    wait_for(lambda: shop.helm().get("web") == "pending-upgrade")
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert shop.helm()["web"] == "pending-upgrade"
    shop.run("rollback")
    assert state(shop) == OLD
    assert shop.helm() == dict.fromkeys(PAIR, "deployed")


def test_one_applier_at_a_time(shop: Landscape) -> None:
    shutil.copytree(shop.site.path, shop.directory / "other")
    other = Store(shop.site.airstore, shop.directory / "other")
    slow = HOOKS["backup.sh"] + "sleep 8\n"
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), hooks={"backup.sh": slow})
    running = begin(shop, "apply")
    wait_for(lambda: bool(list(shop.site.path.glob("deploy/runs/*/backup/*/table"))))
    assert "another airstore process" in shop.run("apply", code=11).err
    locked = other("rollback", "--kubeconfig", shop.api.kubeconfig, code=11).err
    assert "another applier" in locked
    assert str(running.pid) in locked
    assert running.wait(timeout=60) == 0
    assert shop.config("web") == "1.1.0"


def test_helm_releases_of_others_are_left_alone(
    api: ApiServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    shop = landscape(api, tmp_path, helm4, namespace)
    shop.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"))
    shop.by_hand("install", "web", str(shop.directory / "product" / "web"))
    assert f"{namespace}/web" in shop.run("apply", code=50).err
    assert shop.helm() == {"web": "deployed"}


def test_prerequisites_are_named_at_once(api: ApiServer, tmp_path: Path, helm4: Path, namespace: str) -> None:
    shop = landscape(api, tmp_path, helm4, namespace)
    claim = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: odd}\nspec: {storageClassName: gold}\n"
    )
    ingress = (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: odd}\n"
        "spec: {ingressClassName: traffic, defaultBackend: {service: {name: a, port: {number: 80}}}}\n"
    )
    more = {"web": {"templates/odd.yaml": f"{claim}---\n{ingress}"}}
    shop.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"), more)
    failed = shop.run("apply", code=50).err
    assert "storage class 'gold'" in failed
    assert "ingress class 'traffic'" in failed
    assert shop.helm() == {}
    denied = shop.site("apply", "--dry-run", "--kubeconfig", api.guest, code=50).err
    assert f"you may not create secrets in namespace {namespace}" in denied


def test_what_left_the_product_goes_last_and_keeps_its_data(shop: Landscape) -> None:
    shop.release("1.1.0", {"db": "1.0.0"})
    shop.run("apply")
    assert shop.helm() == {"db": "deployed"}
    assert "persistentvolumeclaim/web-data" in shop.claims()
    shop.run("rollback")
    assert state(shop) == OLD


def test_drift_shows_and_a_watch_puts_it_back(shop: Landscape) -> None:
    assert all(each["drift"] == [] for each in shop.run("status", "-o", "json").json["releases"])
    patch = '{"data":{"version":"by hand"}}'
    shop.api.kubectl("patch", "configmap", "web-config", "-n", shop.namespace, "-p", patch)
    shop.by_hand("uninstall", "db")
    seen = {each["name"]: each for each in shop.run("status", "-o", "json", code=61).json["releases"]}
    assert seen["db"]["helm"] == "absent"
    assert seen["web"]["drift"] == ["ConfigMap web-config: data.version: 'by hand' instead of '1.0.0'"]
    watching = begin(shop, "status", "--watch", "--interval", "1")
    wait_for(lambda: shop.config("web") == "1.0.0" and shop.config("db") == "1.0.0")
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=30) == 130


def test_secrets_are_not_said(shop: Landscape) -> None:
    (shop.site.path / "site.yaml").write_text(
        "apiVersion: airstore/v1\nkind: Site\nvalues: {web: {password: h0rse-battery}}\n"
    )
    shop.run("apply")
    patch = '{"data":{"password":"by hand"}}'
    shop.api.kubectl("patch", "configmap", "web-config", "-n", shop.namespace, "-p", patch)
    assert "'by hand' instead of '(redacted)'" in shop.run("status", "-o", "json", code=60).out
    hooks = {"backup.sh": "#!/bin/sh\necho h0rse-battery; exit 1\n"}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), hooks=hooks)
    assert "(redacted)" in shop.run("apply", code=50).err
    shop.site.airstore.never_said("h0rse-battery")
    for path in shop.site.path.glob("deploy/runs/*/**/*"):
        if path.is_file() and b"h0rse" in path.read_bytes():
            assert path.parent.name in {"values", "kept", "new", "old", "hooks"}
            assert path.stat().st_mode & 0o077 == 0
