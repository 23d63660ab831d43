"""After a rollback nothing of the new chart is left: no object, no field, however the upgrade ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.kubernetes.apply_parts import ENDLESS, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.tools.processes import begin, wait_for

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

PAIR = ("db", "web")
# Helm applies ConfigMaps before Services, so that the upgrade fails half-way.
REFUSED_LATE = """apiVersion: v1
kind: Service
metadata: {name: web-late, labels: {airstore.example/refused: x}}
spec: {ports: [{port: 80}]}
"""
_MORE = """apiVersion: v1
kind: ConfigMap
metadata: {name: web-more, annotations: {only: {{ .Chart.Version | quote }}}}
"""
_FIELDS = """apiVersion: v1
kind: ConfigMap
metadata: {name: web-fields, labels: {%s: "1"}}
data: {%s: "1", both: {{ .Chart.Version | quote }}}
"""
_DROPPED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-dropped}\n"
UNREADY = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: a, image: "registry.example.com/a:1"}]}
"""
_SETTINGS = """apiVersion: v1
kind: ConfigMap
metadata: {name: web-settings, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
data: {%s: {{ .Chart.Version | quote }}}
"""
OLD = {"templates/fields.yaml": _FIELDS % ("old", "old"), "templates/own.yaml": _DROPPED}
NEW = {"templates/fields.yaml": _FIELDS % ("new", "new"), "templates/own.yaml": _MORE}


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm: Path, namespace: str) -> Landscape:
    """Release 1.0.0 runs."""
    made = landscape(api, tmp_path, helm, namespace)
    made.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"), {"web": OLD})
    made.run("apply")
    return made


def objects(shop: Landscape) -> dict[str, object]:
    """What of objects a chart says, as kubectl sees it; Helm's Secrets and the root certificate left out."""
    listed = shop.api.json("get", "configmap,pvc,service", "-n", shop.namespace)["items"]
    return {
        f"{each['kind']} {each['metadata']['name']}": (
            each.get("data"),
            each["metadata"].get("labels"),
            each["metadata"].get("annotations"),
        )
        for each in listed
    }


@contextmanager
def refusing(shop: Landscape, condition: str) -> Iterator[None]:
    """The API server refuses ConfigMaps of the namespace for which a CEL expression is false."""
    name = f"refusing-{shop.namespace}"
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["UPDATE"]}
    ]
    where = {"matchLabels": {"kubernetes.io/metadata.name": shop.namespace}}
    policy = {
        "matchConstraints": {"resourceRules": rules, "namespaceSelector": where},
        "validations": [{"expression": condition, "message": "refused by the test"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    version = "admissionregistration.k8s.io/v1"
    kinds = {"ValidatingAdmissionPolicy": policy, "ValidatingAdmissionPolicyBinding": binding}
    for kind, spec in kinds.items():
        document = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
        shop.api.kubectl("create", "-f", "-", stdin=document)
    wait_for(lambda: is_refused(shop))
    yield
    for kind in reversed(kinds):
        shop.api.kubectl("delete", kind, name)
    wait_for(lambda: not is_refused(shop))


def is_refused(shop: Landscape) -> bool:
    """Whether the policy is at work: it takes the server a moment to see it."""
    change = ("-p", '{"data":{"old":"1"}}', "-n", shop.namespace)  # as it is; a dry run is not refused
    try:
        shop.api.kubectl("patch", "configmap", "web-fields", *change)
    except AssertionError as fault:
        assert "refused by the test" in str(fault)  # noqa: PT017 - kubectl asserts that it succeeds
        return True
    return False


def test_nothing_of_a_chart_that_failed_half_way_is_left(shop: Landscape) -> None:
    before = objects(shop)
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": {**NEW, "templates/z.yaml": REFUSED_LATE}})
    assert "Refused_When_Real" in shop.run("apply", code=50).err
    assert objects(shop) == before
    assert shop.helm() == dict.fromkeys(PAIR, "deployed")


def test_nor_of_one_that_was_killed_half_way(shop: Landscape) -> None:
    """Killed in Helm, which has applied everything by then; the release is left pending."""
    before = objects(shop)
    ready = {"templates/z.yaml": UNREADY}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": {**NEW, **ready}})
    running = begin(shop, "apply")
    wait_for(lambda: "ConfigMap web-more" in objects(shop) and shop.helm()["web"] == "pending-upgrade")
    running.send_signal(signal.SIGKILL)
    running.wait()
    shop.run("rollback")
    assert objects(shop) == before
    assert shop.helm() == dict.fromkeys(PAIR, "deployed")
    assert shop.api.json("get", "deployment", "-n", shop.namespace)["items"] == []


def test_nor_when_the_way_back_took_two_commands(shop: Landscape) -> None:
    """The old chart fails half-way, too, and its second attempt still sees what the new one changed."""
    before = objects(shop)
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": {**NEW, "templates/z.yaml": REFUSED_LATE}})
    with refusing(shop, "request.dryRun || object.metadata.name != 'web-fields' || !('old' in object.data)"):
        said = shop.run("apply", code=51).err
    assert "refused by the test" in said
    assert "ConfigMap web-more" in objects(shop)
    shop.run("rollback")
    assert objects(shop) == before
    assert shop.helm() == dict.fromkeys(PAIR, "deployed")


def test_no_hook_of_a_chart_acts_and_what_hooks_made_is_put_back(
    api: ApiServer, tmp_path: Path, helm: Path, namespace: str
) -> None:
    """Nothing here would end a Job: a migration that ran again would take its time, and fail."""
    made = landscape(api, tmp_path, helm, namespace)
    hooks = {"templates/migrate.yaml": ENDLESS, "templates/settings.yaml": _SETTINGS % "old"}
    made.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"), {"web": hooks})
    made.run("apply")
    new = {"templates/settings.yaml": _SETTINGS % "new", "templates/late.yaml": REFUSED_LATE}
    made.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": new})
    failed = made.run("apply", code=50)
    assert "Refused_When_Real" in failed.err
    assert made.helm() == dict.fromkeys(PAIR, "deployed")
    assert api.json("get", "configmap", "web-settings", "-n", namespace)["data"] == {"old": "1.0.0"}
    assert not api.json("get", "job", "-n", namespace)["items"]
    assert "helm.sh/hook: pre-upgrade" in made.by_hand("get", "hooks", "web")
    assert "nothing to do" in made.run("apply", "--release", "1.0.0").out
