"""What the API server refuses, judged: a finding, or only a release that is not there yet."""

from __future__ import annotations

from typing import Any

import pytest

from airstore.core.kube.dryruns import Refusal
from airstore.core.model.release import HelmRelease
from airstore.deploy.checks.pods import makes_more, pod_of, references
from airstore.deploy.checks.rehearsal import Move, Rehearsed, rehearse
from tests.support.kubernetes.conformance import config, cron, workload
from tests.support.kubernetes.deploy_world import MemoryCluster, make_target

QUOTA = Refusal(403, 'pods "web-dry-run" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2')


def ask(cluster: MemoryCluster, *documents: dict[str, Any], back: bool = False) -> Rehearsed:
    target, _ = make_target(HelmRelease("web", "shop", "web"), "1.0.0", documents)
    return rehearse(cluster, [Move(target, documents, (), applied=True, back=back)])["shop/web"]


def found(cluster: MemoryCluster, *documents: dict[str, Any], back: bool = False) -> list[str]:
    return [str(finding) for finding in ask(cluster, *documents, back=back).findings]


def namespace(**labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}


def test_refusals_name_release_object_and_the_servers_words() -> None:
    cluster = MemoryCluster(refusals={("ConfigMap", "a"): Refusal(422, "metadata.name: Invalid value")})
    assert found(cluster, config("a"), config("b")) == ["shop/web: ConfigMap a: metadata.name: Invalid value"]
    assert found(cluster, config("a"), back=True) == [
        "shop/web: going back to 1.0.0: ConfigMap a: metadata.name: Invalid value"
    ]


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(404, 'namespaces "shop" not found'),
        Refusal(400, 'admission webhook "x" does not support dry run'),
        Refusal(500, 'Internal error occurred: failed calling webhook "ours.example.com": refused'),
        Refusal(403, 'configmaps "a" is forbidden: exceeded quota: ours, requested: count/configmaps=1'),
    ],
)
def test_what_the_release_brings_itself_is_no_finding(refusal: Refusal) -> None:
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "h"},
        "webhooks": [{"name": "ours.example.com"}],
    }
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "ours"}}
    cluster = MemoryCluster(refusals={("ConfigMap", "a"): refusal})
    assert found(cluster, config("a"), hook, quota) == []
    if refusal.status in {500, 403}:
        assert found(cluster, config("a")) == [f"shop/web: ConfigMap a: {refusal.message}"]


def test_a_level_of_security_or_a_range_that_the_release_sets() -> None:
    refused = Refusal(403, 'pods "web" is forbidden: violates PodSecurity "restricted:latest": x')
    cluster = MemoryCluster(refusals={("Pod", "web"): refused})
    web, level = workload("Deployment", "web"), {"pod-security.kubernetes.io/enforce": "baseline"}
    assert found(cluster, web) == [f"shop/web: Deployment web: its pods: {refused.message}"]
    assert found(cluster, web, namespace(of="somebody")) != []
    assert found(cluster, web, namespace(**level)) == []
    ranged = Refusal(403, 'pods "web" is forbidden: maximum cpu usage per Container is 1, but limit is 2')
    cluster = MemoryCluster(refusals={("Pod", "web"): ranged})
    limits = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}}
    assert found(cluster, web) != []
    assert found(cluster, web, limits) == []


def test_who_may_not_make_pods_learns_nothing() -> None:
    refused = Refusal(403, 'pods is forbidden: User "guest" cannot create resource "pods" in API group ""')
    cluster = MemoryCluster(refusals={("Pod", "web"): refused})
    assert found(cluster, workload("Deployment", "web")) == []


def test_only_what_holds_no_data_is_replaced() -> None:
    fixed = Refusal(422, "field is immutable", fixed=True)
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    names = [("StatefulSet", "db"), ("PersistentVolumeClaim", "data")]
    cluster = MemoryCluster(refusals=dict.fromkeys(names, fixed))
    done = ask(cluster, workload("StatefulSet", "db"), claim)
    assert [each["metadata"]["name"] for each in done.replaced] == ["db"]
    assert [str(each) for each in done.findings] == [
        "shop/web: PersistentVolumeClaim data: field is immutable; it may hold data, so it is not replaced",
    ]


@pytest.mark.parametrize("policy", ["", "before-hook-creation", "hook-succeeded, before-hook-creation"])
def test_a_hook_that_a_failure_left_is_deleted_by_helm(policy: str) -> None:
    cluster = MemoryCluster(refusals={("Job", "hook"): Refusal(422, "field is immutable", fixed=True)})
    done = ask(cluster, hooked(policy))
    assert (done.findings, done.replaced) == ((), ())
    pods = Refusal(403, 'pods "hook" is forbidden: violates PodSecurity "restricted:latest": x')
    cluster.refusals[("Pod", "hook")] = pods
    assert found(cluster, hooked(policy)) == [f"shop/web: Job hook: its pods: {pods.message}"]


def test_a_hook_that_helm_does_not_delete_is_a_finding() -> None:
    cluster = MemoryCluster(refusals={("Job", "hook"): Refusal(422, "field is immutable", fixed=True)})
    done = ask(cluster, hooked("hook-succeeded,hook-failed"))
    assert done.replaced == ()
    (finding,) = map(str, done.findings)
    assert "it was left by an earlier run of this hook, whose helm.sh/hook-delete-policy lets it" in finding


def hooked(policy: str) -> dict[str, Any]:
    job = workload("Job", "hook")
    job["metadata"]["annotations"] = {"helm.sh/hook": "pre-upgrade"}
    if policy:
        job["metadata"]["annotations"]["helm.sh/hook-delete-policy"] = policy
    return job


def test_a_quota_is_judged_by_what_the_rollout_needs() -> None:
    cluster = MemoryCluster(refusals={("Pod", "web"): QUOTA})
    web = workload("Deployment", "web", 1)
    assert found(cluster, web) != [], "there is none yet"
    cluster.apply(web, "shop")
    changed = workload("Deployment", "web", 1)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/a:2"
    assert found(cluster, changed) != [], "it makes the new pod first"
    assert found(cluster, changed, back=True) == [], "a rollback has stopped the old one"
    recreated = {**changed, "spec": {**changed["spec"], "strategy": {"type": "Recreate"}}}
    assert found(cluster, recreated) == []


@pytest.mark.parametrize(
    ("replicas", "allowed", "more"),
    [(1, None, True), (3, None, True), (4, None, False), (1, 1, False), (10, "9%", True), (10, "10%", False)],
)
def test_a_deployment_makes_more_pods_only_if_none_may_be_away(
    replicas: int, allowed: Any, more: bool
) -> None:
    before, after = workload("Deployment", "web", replicas), workload("Deployment", "web", replicas)
    after["spec"]["template"]["metadata"]["labels"] = {"app": "web", "v": "2"}
    if allowed is not None:
        after["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": allowed}}
    assert makes_more(after, before, before) is more
    assert makes_more(before, before, before) is False
    assert makes_more(workload("Deployment", "web", replicas + 1), before, before) is True


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_others_end_a_pod_before_they_make_one(kind: str) -> None:
    before, after = workload(kind, "db", 1), workload(kind, "db", 1)
    after["spec"]["template"]["metadata"]["labels"] = {"app": "db", "v": "2"}
    assert makes_more(after, before, before) is False
    assert makes_more(after, None, None) is True
    assert makes_more(cron("night"), None, None) is False


def test_pods_are_made_as_workloads_make_them() -> None:
    db = workload("StatefulSet", "db", 1)
    db["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    db["spec"]["template"]["spec"]["serviceAccountName"] = "db"
    pod = pod_of(db)
    assert pod
    assert pod["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    assert pod["metadata"] == {"name": "db-dry-run", "labels": {"app": "db"}}
    assert [(field, each["kind"]) for field, each in references(pod)] == [
        ("serviceAccountName", "ServiceAccount")
    ]
    night = pod_of(cron("night"))
    assert night
    assert night["spec"]["restartPolicy"] == "Never"
    assert pod_of(workload("Deployment", "off", 0)) is None
    assert pod_of(config("a")) is None


def live(cluster: MemoryCluster, kind: str, name: str, replicas: int) -> dict[str, Any]:
    """A workload that runs."""
    made = workload(kind, name, replicas)
    cluster.apply({**made, "status": {"replicas": replicas}}, "shop")
    return made


def test_a_quota_is_asked_for_all_pods_together() -> None:
    """Of one Helm release after the other: what came before it stays."""
    cluster = MemoryCluster(rooms={"shop": 3})
    assert found(cluster, workload("Deployment", "a", 2), workload("StatefulSet", "b", 1)) == []
    assert found(cluster, workload("Deployment", "a", 2), workload("StatefulSet", "b", 2)) == [
        "shop/web: its pods, all of them together: exceeded quota: few, needed: pods=4, "
    ]
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    assert found(cluster, workload("Deployment", "a", 9), quota) == []
    cluster.refusals[("Pod", "a")] = QUOTA  # the dry run has said so already
    assert len(found(cluster, workload("Deployment", "a", 9))) == 1


def test_what_runs_already_is_not_counted_twice_and_what_goes_makes_room() -> None:
    cluster = MemoryCluster(rooms={"shop": 0})
    old = live(cluster, "StatefulSet", "a", 3)
    assert found(cluster, old) == []
    assert found(cluster, workload("StatefulSet", "a", 4)) != []
    target, _ = make_target(HelmRelease("web", "shop", "web"), "1.0.0", [old])
    move = Move(target, (workload("Deployment", "b", 3),), (old,), applied=True)
    assert rehearse(cluster, [move])["shop/web"].findings == ()


def test_a_rollout_that_makes_a_pod_first_needs_room_for_it() -> None:
    cluster = MemoryCluster(rooms={"shop": 1})
    live(cluster, "Deployment", "a", 2)
    grown = workload("Deployment", "a", 3)
    grown["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": 0}}
    assert "needed: pods=2" in found(cluster, grown)[0]
    grown["spec"]["strategy"] = {"type": "Recreate"}
    assert found(cluster, grown) == []


def test_on_the_way_back_only_the_end_counts() -> None:
    """Everything is stopped before the first thing starts again, and what was new is gone."""
    cluster = MemoryCluster(rooms={"shop": 0})
    new = live(cluster, "Deployment", "new", 2)
    live(cluster, "Deployment", "a", 1)
    moves = []
    for name, documents, before in (("new", (), (new,)), ("web", (workload("Deployment", "a", 3),), ())):
        target, _ = make_target(HelmRelease(name, "shop", name), "1.0.0", documents)
        moves.append(Move(target, documents, before, applied=True, back=True))
    assert [each.findings for each in rehearse(cluster, moves).values()] == [(), ()]
    (one,) = rehearse(cluster, moves[1:]).values()
    assert "going back to 1.0.0: its pods, all of them together: exceeded quota" in str(one.findings[0])
