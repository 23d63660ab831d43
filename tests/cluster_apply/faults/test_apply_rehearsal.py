"""The API server is asked before anything is stopped or changed: forward, back, and what pods would meet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_parts import HOOKS, INVALID, Landscape, landscape
from tests.support.kubernetes.apply_pods import LEVEL, SAFE, night, restrict
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

PAIR = ("db", "web")


def release(shop: Landscape, version: str, web: Mapping[str, str], **options: Any) -> None:
    shop.release(version, {"db": "1.0.0", "web": version}, {"web": web}, **options)


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm: Path, namespace: str) -> Landscape:
    """Release 1.0.0 runs, one chart of which has pods at times."""
    made = landscape(api, tmp_path, helm, namespace)
    made.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"), {"web": {"templates/night.yaml": night()}})
    made.run("apply")
    return made


def picture(shop: Landscape) -> object:
    """Every object; nothing was touched if it stays."""
    kinds = "configmap,secret,cronjob,service,pvc"
    listed = shop.api.json("get", kinds, "-n", shop.namespace)["items"]
    return {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in listed}


def refused(shop: Landscape, *words: str) -> str:
    """What a command says that changes nothing; the dry run says the same."""
    before = picture(shop)
    said = []
    for each in ((*words, "--dry-run"), words):
        failed = shop.run(*each, code=50).err
        assert "nothing was changed: prerequisites are missing" in failed
        said.append([line for line in failed.splitlines() if line.startswith("  ")])
    assert picture(shop) == before
    assert said[0] == said[1]
    return "\n".join(said[0])


def test_pods_that_a_namespace_no_longer_admits(shop: Landscape) -> None:
    """The old ones would not be admitted either, so there would be no way back."""
    restrict(shop)
    safe = night(securityContext=SAFE)
    release(
        shop, "1.1.0", {"templates/night.yaml": night(), "templates/safe.yaml": safe.replace("night", "safe")}
    )
    said = refused(shop, "apply")
    assert f"{shop.namespace}/web: CronJob night: its pods: " in said
    assert 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in said
    assert f"{shop.namespace}/web: going back to 1.0.0: CronJob night: its pods: " in said
    assert "safe" not in said


def test_a_rollback_to_pods_that_are_no_longer_admitted_stops_nothing(shop: Landscape) -> None:
    release(shop, "1.1.0", {"templates/night.yaml": night(securityContext=SAFE)})
    shop.run("apply")
    restrict(shop)
    assert 'violates PodSecurity "restricted:latest"' in refused(shop, "rollback")


def test_an_automatic_rollback_whose_pods_would_be_refused_stops_nothing(shop: Landscape) -> None:
    label = f'kubectl label namespace "$AIRSTORE_NAMESPACE" {LEVEL}=restricted\n'
    hooks = {"migrate.sh": HOOKS["migrate.sh"] + label}
    versions = {"db": "1.1.0", "web": "1.1.0"}
    web = {"templates/night.yaml": night(securityContext=SAFE), "templates/z.yaml": INVALID}
    shop.release(
        "1.1.0",
        versions,
        {"web": web, "db": {"templates/night.yaml": night("other", securityContext=SAFE)}},
        hooks=hooks,
    )
    before = shop.api.json("get", "cronjob", "night", "-n", shop.namespace)["spec"]["suspend"]
    # The way forward is rehearsed, too; what a name cannot be is found there.
    assert "Not_A_Name" in refused(shop, "apply")
    web["templates/z.yaml"] = _FAILS
    shop.release("1.2.0", dict.fromkeys(PAIR, "1.2.0"), {"web": web}, hooks=hooks)
    failed = shop.run("apply", code=51).err
    assert "nothing is stopped, because it could not start again" in failed
    assert "going back to 1.0.0: CronJob night: its pods: " in failed
    assert 'violates PodSecurity "restricted:latest"' in failed
    assert shop.api.json("get", "cronjob", "night", "-n", shop.namespace)["spec"]["suspend"] is before
    shop.api.kubectl("label", "namespace", shop.namespace, f"{LEVEL}-")
    shop.run("rollback")
    assert [shop.config(name) for name in PAIR] == ["1.0.0", "1.0.0"]


# A hook of Helm that no server refuses, and that fails in its time.
_FAILS = """apiVersion: batch/v1
kind: Job
metadata: {name: endless, annotations: {helm.sh/hook: post-upgrade}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: a, image: "registry.example.com/a:1", securityContext: CONTEXT}]
""".replace("CONTEXT", json.dumps(SAFE))


def webhook(namespace: str) -> dict[str, Any]:
    """One that nobody answers."""
    client = {"service": {"name": "gone", "namespace": namespace, "path": "/"}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    hook = {
        "name": "policy.example.com",
        "clientConfig": client,
        "rules": [rule],
        "namespaceSelector": selector,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"policy-{namespace}"},
        "webhooks": [hook],
    }


def test_a_webhook_that_is_down(shop: Landscape) -> None:
    release(shop, "1.1.0", {"templates/night.yaml": night()})
    hook = webhook(shop.namespace)
    shop.api.kubectl("apply", "-f", "-", stdin=hook)
    try:
        said = refused(shop, "apply")
    finally:
        shop.api.kubectl("delete", hook["kind"], hook["metadata"]["name"])
    assert f"{shop.namespace}/web: ConfigMap web-config: " in said
    assert 'failed calling webhook "policy.example.com"' in said
    shop.run("apply")
    assert shop.config("web") == "1.1.0"


def test_everything_is_said_at_once(shop: Landscape) -> None:
    wrong = json.dumps(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": []}}
    )
    unknown = json.dumps({"apiVersion": "nobody.example.com/v1", "kind": "Thing", "metadata": {"name": "t"}})
    more = {
        "db": {"templates/a.yaml": INVALID, "templates/b.yaml": unknown},
        "web": {"templates/c.yaml": wrong},
    }
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), more)
    said = refused(shop, "apply")
    assert f"{shop.namespace}/db: ConfigMap Not_A_Name: " in said
    assert f"{shop.namespace}/db: Thing t: the cluster knows no kind Thing in nobody.example.com/v1" in said
    assert f"{shop.namespace}/web: Service s: " in said
    assert "spec.ports" in said


def test_what_comes_with_the_release_is_no_finding(
    api: ApiServer, tmp_path: Path, helm: Path, namespace: str
) -> None:
    """Its namespace, its definitions and objects of them, an account and a priority that its pods name."""
    group = f"{namespace}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": "things", "kind": "Thing"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {}}
    priority = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": f"{namespace}-high"},
        "value": 5,
    }
    document = json.loads(night())
    pod = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod |= {"priorityClassName": f"{namespace}-high"}
    web = {
        "crds/thing.yaml": json.dumps(definition),
        "templates/thing.yaml": json.dumps(thing),
        "templates/priority.yaml": json.dumps(priority),
        "templates/night.yaml": json.dumps(document),
    }
    made = landscape(api, tmp_path, helm, f"{namespace}-new")
    made.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"), {"web": web})
    made.run("apply", "--dry-run")
    made.run("apply")
    assert made.config("web") == "1.0.0"
    made.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": web})
    made.run("apply")
    assert made.config("web") == "1.1.0"


def test_what_helm_can_change_is_no_finding(shop: Landscape) -> None:
    """Entries of lists that go or change their meaning, which a careless apply would add to the old ones."""

    def service(*ports: dict[str, Any]) -> str:
        document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
        return json.dumps({**document, "spec": {"selector": {"app": "web"}, "ports": list(ports)}})

    def job(*environment: dict[str, Any], **volume: Any) -> str:
        document = json.loads(night(env=list(environment), volumeMounts=[{"name": "v", "mountPath": "/v"}]))
        document["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"] = [{"name": "v", **volume}]
        return json.dumps(document)

    two = ({"name": "a", "port": 80}, {"name": "b", "port": 81})
    old = {
        "templates/s.yaml": service(*two),
        "templates/night.yaml": job({"name": "A", "value": "1"}, emptyDir={}),
    }
    release(shop, "1.1.0", old)
    shop.run("apply")
    swapped = ({"name": "b", "port": 80}, {"name": "a", "port": 82})
    field = {"fieldRef": {"fieldPath": "metadata.name"}}
    new = {
        "templates/s.yaml": service(*swapped),
        "templates/night.yaml": job({"name": "A", "valueFrom": field}, configMap={"name": "web-config"}),
    }
    release(shop, "1.2.0", new)
    shop.run("apply")
    assert shop.config("web") == "1.2.0"
    shop.run("rollback")
    assert shop.config("web") == "1.1.0"


def test_a_quota_that_has_room_for_some_of_the_pods_only(shop: Landscape) -> None:
    quota: dict[str, Any] = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    hard = {"hard": {"pods": "3"}}
    shop.api.kubectl("apply", "-n", shop.namespace, "-f", "-", stdin={**quota, "spec": hard})
    status = json.dumps({"status": {**hard, "used": {"pods": "1"}}})
    words = ("resourcequota", "few", "--subresource=status", "--type=merge", "-p", status)
    shop.api.kubectl("patch", "-n", shop.namespace, *words)

    def workers(replicas: int) -> str:
        template = json.loads(night())["spec"]["jobTemplate"]["spec"]["template"]
        template["spec"]["restartPolicy"] = "Always"
        template["metadata"] = {"labels": {"app": "w"}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "w"}}, "template": template}
        document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "workers"}}
        return json.dumps({**document, "spec": spec})

    release(shop, "1.1.0", {"templates/night.yaml": night(), "templates/workers.yaml": workers(3)})
    said = refused(shop, "apply")
    assert (
        f"{shop.namespace}/web: its pods, all of them together: exceeded quota: few, needed: pods=3" in said
    )
    release(shop, "1.2.0", {"templates/night.yaml": night(), "templates/workers.yaml": workers(2)})
    shop.run("apply", "--dry-run")


def test_who_may_not_make_pods_is_told_that_they_are_not_asked_for(shop: Landscape) -> None:
    restrict(shop)
    release(shop, "1.1.0", {"templates/night.yaml": night()})
    rule = {
        "apiGroups": ["*"],
        "resources": ["*"],
        "verbs": ["get", "list", "watch", "patch", "update", "delete"],
    }
    others = ["configmaps", "secrets", "namespaces", "serviceaccounts", "persistentvolumeclaims"]
    rules = [rule, {"apiGroups": [""], "resources": others, "verbs": ["create"]}]
    rules += [{"apiGroups": ["batch", "coordination.k8s.io"], "resources": ["*"], "verbs": ["create"]}]
    rules += [{"nonResourceURLs": ["*"], "verbs": ["get"]}]
    assert isinstance(shop.api, ApiServer)
    with shop.api.granted(f"no-pods-{shop.namespace}", rules) as guest:
        ended = shop.site("apply", "--kubeconfig", guest)
    assert f"whether pods will be admitted to namespace {shop.namespace} is not checked" in ended.err
    assert shop.config("web") == "1.1.0"
