"""The applier in a real cluster: from its image to upgrades, failures and rights, as kubectl sees them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore.ops.apply.session.handover import Moved, mark
from airstore.ops.stores.directory import open_directory
from tests.support.kubernetes.applier_world import ApplierWorld, applier_world, give_volume, own_volume
from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.product.e2e_road import Airstore, Store

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture
def world(cluster: RealCluster, helm4: Path, tmp_path: Path) -> Iterator[ApplierWorld]:
    (tmp_path / "home").mkdir()
    with applier_world(cluster, Airstore(tmp_path / "home", helm4), tmp_path) as made:
        yield made


def test_from_media_to_an_applier_that_upgrades_goes_back_and_may_do_no_more(world: ApplierWorld) -> None:
    give_volume(world.cluster, world.documents())
    _is_planned_and_accepted(world)
    _is_installed_with_the_store(world)
    _runs_and_upgrades(world)
    _goes_back_when_an_upgrade_fails(world)
    _needs_an_administrator_for_more_rights(world)
    _puts_back_what_drifted(world)
    _may_do_no_more(world)
    _comes_back(world)
    _does_not_replace_a_lost_volume(world)


def test_manifests_applied_by_hand_say_what_is_wrong_and_wait_for_their_store(world: ApplierWorld) -> None:
    printed = world.site("applier", "manifests", "-o", "json").json
    world.cluster.kubectl("apply", "-f", "-", stdin=printed)
    # The volume belongs to root: the pod cannot work, and says why.
    failed = "--for=jsonpath={.status.initContainerStatuses[0].lastState.terminated.exitCode}=41"
    labels = ("pods", "-l", "app.kubernetes.io/name=applier", "-n", world.own)
    world.cluster.kubectl("wait", *labels, "--for=create", "--timeout=60s")
    world.cluster.kubectl("wait", *labels, failed, "--timeout=170s")
    deployment = ("-n", world.own, f"deploy/{world.name}")
    (pod,) = world.cluster.json("get", *labels)["items"]
    ended = pod["status"]["initContainerStatuses"][0]["lastState"]["terminated"]
    assert "/data/receiving.lock: Permission denied" in ended["message"]
    own_volume(world.cluster, world.own, world.name)
    before = world.cluster.json("get", *deployment)["metadata"]["generation"]
    assert world.applier("install", "-o", "json").json["store"] == "sent"
    assert world.cluster.json("get", *deployment)["metadata"]["generation"] == before
    assert "newest in the store: 1.0.0" in world.run("status").out
    # A command that Kubernetes ends has no exit code of its own, and what it said until then is there.
    late = world.applier("run", "--timeout", "8", "--", "status", "--watch", code=40)
    assert "newest in the store: 1.0.0" in late.out
    assert "took longer than it may" in late.err or "DeadlineExceeded" in late.err
    assert not world.cluster.json("-n", world.own, "get", "jobs")["items"]
    # Wrong usage there is wrong usage here.
    assert "no release" in world.run("apply", "--release", "9.9.9", code=10).out


def test_an_install_while_the_pod_starts_again_and_the_logs_of_its_runs(world: ApplierWorld) -> None:
    give_volume(world.cluster, world.documents())
    assert world.applier("logs", code=10).err.count("does not run") == 1
    world.applier("install")
    for _ in range(3):  # the init container runs for some seconds beside a full volume
        world.cluster.kubectl("rollout", "restart", "-n", world.own, f"deployment/{world.name}")
        again = world.applier("install", "-o", "json")
        assert again.json["store"] == "was there already"
        assert "delete" not in again.err
    # ... and so for a store whose marker was lost on the way.
    (world.site.path / "applier.json").unlink()
    world.cluster.kubectl("rollout", "restart", "-n", world.own, f"deployment/{world.name}")
    assert world.applier("install", "-o", "json").json["store"] == "was there already"
    assert world.applier("logs", "-o", "json").json == []
    world.apply()
    (run,) = world.applier("logs", "-o", "json").json
    assert "has no run" in world.applier("logs", "elsewhere", code=10).err
    found = world.applier("logs", run["run"], "-o", "json").json["logs"]
    assert ", ".join(found) == run["logs"]
    assert any(found.values())
    out = world.directory / "fetched"
    world.applier("logs", run["run"], "--out", out)
    assert {path.name: path.read_text() for path in out.iterdir()} == found
    (out / next(iter(found))).write_text("mine")
    assert "is another log" in world.applier("logs", run["run"], "--out", out, code=2).err


def _is_planned_and_accepted(world: ApplierWorld) -> None:
    for document in world.documents():
        words = ("apply", "--server-side", "--dry-run=server", "--field-manager=airstore", "-f", "-")
        world.cluster.kubectl(*words, stdin=document)
    planned = world.applier("install", "--dry-run", "-o", "json").json
    states = {step["what"]: step["state"] for step in planned}
    assert states[f"Namespace {world.own}"] == "same"
    assert states[f"Deployment {world.own}/{world.name}"] == "create"
    for asked in (("run", "--", "status"), ("send", str(world.directory))):
        assert "airstore applier install" in world.applier(*asked, code=10).err


def _is_installed_with_the_store(world: ApplierWorld) -> None:
    # As if an install had been killed while the store was on its way.
    mark(open_directory(world.site.path), Moved("", world.own, world.name), 0, arrived=False)
    world.site("apply", "--kubeconfig", world.cluster.kubeconfig, code=2)
    assert world.applier("install", "-o", "json").json["store"] == "sent"
    refused = world.site("apply", "--kubeconfig", world.cluster.kubeconfig, code=2)
    assert f"applier {world.own}/{world.name}" in refused.err
    assert "applier run -- apply" in refused.err
    # Again: nothing changes, nothing restarts.
    before = world.pod()
    assert world.applier("install", "-o", "json").json["store"] == "was there already"
    assert {step["state"] for step in world.applier("install", "--dry-run", "-o", "json").json} == {"same"}
    assert world.pod() == before
    # Not from the store of another site, which has no right to this volume.
    assert "holds another store" in world.applier("install", store=world.other_site(), code=2).err
    assert world.pod() == before


def _runs_and_upgrades(world: ApplierWorld) -> None:
    world.apply()
    assert (world.version(), world.digests()) == ("1.0.0", {world.digest("1.0.0")})
    world.take(world.make("1.1.0"))
    world.apply("--release", "1.1.0")
    assert (world.version(), world.digests()) == ("1.1.0", {world.digest("1.1.0")})
    assert world.run("-q", "history", "-o", "json").json[0]["release"] == "1.1.0"


def _goes_back_when_an_upgrade_fails(world: ApplierWorld) -> None:
    world.take(world.make("1.2.0", broken=True))
    assert "release 1.1.0 runs again" in world.apply(code=50).out
    assert (world.version(), world.digests()) == ("1.1.0", {world.digest("1.1.0")})
    assert not world.cluster.json("-n", world.own, "get", "jobs")["items"]


def _needs_an_administrator_for_more_rights(world: ApplierWorld) -> None:
    world.take(world.make("1.3.0", more=True))
    said = world.apply(code=50).out
    assert f"you may not create cronjobs.batch in namespace {world.namespace}" in said
    assert (
        f"you may not patch customresourcedefinitions.apiextensions.k8s.io shelves.{world.namespace}" in said
    )
    assert (world.version(), world.get("cronjobs")["items"]) == ("1.1.0", [])
    world.applier("install")
    world.apply()
    assert world.version() == "1.3.0"
    assert len(world.get("cronjobs")["items"]) == 1
    assert len(world.get(f"shelves.{world.namespace}.example.com")["items"]) == 1


def _puts_back_what_drifted(world: ApplierWorld) -> None:
    change = '{"data": {"version": "by hand"}}'
    world.cluster.kubectl("patch", "configmap/web-config", "-n", world.namespace, "-p", change)
    back = "--for=jsonpath={.data.version}=1.3.0"
    world.cluster.kubectl("wait", "configmap/web-config", "-n", world.namespace, back, "--timeout=170s")


def _may_do_no_more(world: ApplierWorld) -> None:
    own, product = world.own, world.namespace
    for verb, resource, namespace, name in (
        ("update", "secrets", product, ""),
        ("patch", "deployments.apps", product, "web"),
        ("create", "roles.rbac.authorization.k8s.io", product, ""),
        ("bind", "clusterroles.rbac.authorization.k8s.io", product, "view"),
        ("update", "leases.coordination.k8s.io", "airstore", f"airstore-{product}"),
        ("get", "services/proxy", product, "web:80"),
        ("list", "resourcequotas", product, ""),
        ("list", "limitranges", product, ""),
        ("delete", "clusterroles.rbac.authorization.k8s.io", "", f"{product}-nodes"),
        ("patch", "customresourcedefinitions.apiextensions.k8s.io", "", f"shelves.{product}.example.com"),
    ):
        assert world.may(verb, resource, namespace, name), (verb, resource, namespace, name)
    for verb, resource, namespace, name in (
        ("get", "secrets", own, ""),
        ("get", "secrets", "kube-system", ""),
        ("list", "secrets", "", ""),
        ("list", "pods", "", ""),
        ("get", "pods", "default", ""),
        ("list", "deployments.apps", "", ""),
        ("create", "pods", own, ""),  # in the product's namespace a dry run asks whether they would be let in
        ("create", "pods/exec", own, ""),
        ("create", "serviceaccounts/token", product, ""),
        ("patch", "deployments.apps", own, world.name),
        ("escalate", "roles.rbac.authorization.k8s.io", product, ""),
        ("escalate", "clusterroles.rbac.authorization.k8s.io", "", ""),
        ("bind", "clusterroles.rbac.authorization.k8s.io", product, "admin"),
        ("bind", "clusterroles.rbac.authorization.k8s.io", "", "view"),
        ("impersonate", "users", "", ""),
        ("update", "clusterroles.rbac.authorization.k8s.io", "", "cluster-admin"),
        ("delete", "nodes", "", ""),
        ("create", "namespaces", "", ""),
        ("delete", "namespaces", "", product),
        ("create", "customresourcedefinitions.apiextensions.k8s.io", "", "shelves.example.com"),
        ("delete", "customresourcedefinitions.apiextensions.k8s.io", "", f"shelves.{product}.example.com"),
        ("update", "leases.coordination.k8s.io", "airstore", "airstore-another"),
        ("get", "services/proxy", product, "other:80"),
        ("*", "*", product, ""),
    ):
        assert not world.may(verb, resource, namespace, name), (verb, resource, namespace, name)


def _does_not_replace_a_lost_volume(world: ApplierWorld) -> None:
    world.cluster.kubectl("delete", "pvc", world.name, "-n", world.own)
    give_volume(world.cluster, world.documents())
    assert "is empty, but had the store" in world.applier("install", code=2).err


def _comes_back(world: ApplierWorld) -> None:
    """As docs/applier.md says, with kubectl and tar."""
    archive, back = world.directory / "store.tar", world.directory / "back"
    applier = ["-n", world.own, f"deploy/{world.name}", "-c", "applier"]
    with archive.open("wb") as file:
        words = ["kubectl", "--kubeconfig", str(world.cluster.kubeconfig), "exec", *applier]
        subprocess.run([*words, "--", "tar", "-C", "/data", "-cf", "-", "store"], stdout=file, check=True)
    labels = f"app.kubernetes.io/name=applier,app.kubernetes.io/instance={world.namespace}"
    world.cluster.kubectl("delete", "deployment,serviceaccount,role,rolebinding", "-A", "-l", labels)
    world.cluster.kubectl("delete", "clusterrole,clusterrolebinding", "-l", labels)
    back.mkdir()
    subprocess.run(["tar", "-C", back, "--no-same-owner", "-xf", archive], check=True)
    store = Store(world.site.airstore, back / "store")
    store("check")
    outcome = store("apply", "--kubeconfig", world.cluster.kubeconfig, "--plain-http", world.registry)
    assert "release 1.3.0 runs already" in outcome.out
