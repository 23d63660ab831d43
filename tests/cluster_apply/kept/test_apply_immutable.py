"""Fields that cannot be changed: an upgrade that tries to is rolled back, and a rollback gets past them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_parts import HOOKS, REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

PAIR = ("db", "web")
OLD = ("1.0.0", "1.0.0", "rows of 1.0.0")
BOTH = dict.fromkeys(PAIR, "deployed")
_GROWS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "grows"},
    "provisioner": "example.com/none",
    "allowVolumeExpansion": True,
}


@pytest.fixture(scope="module", autouse=True)
def _grows(api: ApiServer) -> None:
    api.kubectl("apply", "-f", "-", stdin=_GROWS)


def service(**spec: Any) -> dict[str, str]:
    """A Service of a chart."""
    document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "fixed"}}
    return {"templates/fixed.yaml": json.dumps({**document, "spec": {"ports": [{"port": 80}], **spec}})}


def claim(size: str, storage_class: str) -> dict[str, str]:
    """A volume claim of a chart."""
    document = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "fixed"}}
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": storage_class}
    spec |= {"resources": {"requests": {"storage": size}}}  # type: ignore[dict-item]
    return {"templates/fixed.yaml": json.dumps({**document, "spec": spec})}


def made(api: ApiServer, directory: Path, helm: Path, namespace: str, **more: dict[str, str]) -> Landscape:
    """Release 1.0.0 runs; charts have more files."""
    shop = landscape(api, directory, helm, namespace)
    shop.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"), more)
    shop.run("apply")
    return shop


def state(shop: Landscape) -> tuple[str, ...]:
    return (*(shop.config(name) for name in PAIR), shop.table())


def test_an_upgrade_that_would_change_a_claim_changes_nothing(
    api: ApiServer, tmp_path: Path, helm: Path, namespace: str
) -> None:
    shop = made(api, tmp_path, helm, namespace, web=claim("1Mi", ""))
    before = api.json("get", "pvc", "fixed", "-n", namespace)
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": claim("1Mi", "grows")})
    for words in (("apply", "--dry-run"), ("apply",)):
        failed = shop.run(*words, code=50).err
        assert "nothing was changed" in failed
        assert f"{namespace}/web: PersistentVolumeClaim fixed" in failed
        assert "spec is immutable after creation" in failed
        assert "it may hold data, so it is not replaced" in failed
    assert state(shop) == OLD
    assert shop.helm() == BOTH
    assert api.json("get", "pvc", "fixed", "-n", namespace) == before


def test_an_upgrade_replaces_what_holds_no_data_after_saying_so(
    api: ApiServer, tmp_path: Path, helm: Path, namespace: str
) -> None:
    shop = made(api, tmp_path, helm, namespace, web=service(clusterIP="None"))
    before = api.json("get", "service", "fixed", "-n", namespace)["metadata"]["uid"]
    shop.release("1.1.0", {"db": "1.0.0", "web": "1.1.0"}, {"web": service(type="NodePort")})
    planned = shop.run("apply", "--dry-run").out
    assert "Service fixed cannot be changed: it is deleted and made again" in planned
    steps = shop.run("apply", "--dry-run", "-o", "json").json["steps"]
    assert {each["name"]: each["replaces"] for each in steps} == {"db": [], "web": ["Service fixed"]}
    assert api.json("get", "service", "fixed", "-n", namespace)["metadata"]["uid"] == before
    shop.run("apply")
    found = api.json("get", "service", "fixed", "-n", namespace)
    assert found["spec"]["type"] == "NodePort"
    assert found["metadata"]["uid"] != before
    (back,) = shop.run("rollback", "--dry-run", "-o", "json").json["steps"][1:]
    assert back["replaces"] == ["Service fixed"]
    shop.run("rollback")
    assert api.json("get", "service", "fixed", "-n", namespace)["spec"]["clusterIP"] == "None"
    assert state(shop) == OLD


def _settled(namespace: str, version: str) -> dict[str, str]:
    """Objects of kinds that no server lets change, and that say something else in each version."""
    named = {"metadata": {"name": f"{namespace}-settled"}}
    cloud = {"provisioner": "example.com/none", "parameters": {"version": version}}
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "immutable": True, "data": {"version": version}},
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": len(version)},
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", **cloud},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "spec": {"controller": f"example.com/{version}"},
        },
    ]
    return {f"templates/{each['kind'].lower()}.yaml": json.dumps({**each, **named}) for each in documents}


def test_settings_that_are_fixed_are_made_again_there_and_back(
    api: ApiServer, tmp_path: Path, helm: Path, namespace: str
) -> None:
    shop = made(api, tmp_path, helm, namespace, web=_settled(namespace, "one"))
    shop.release("1.1.0", {"db": "1.0.0", "web": "1.1.0"}, {"web": _settled(namespace, "other")})
    planned = shop.run("apply", "--dry-run").out
    for kind in ("ConfigMap", "PriorityClass", "StorageClass", "IngressClass"):
        assert f"{kind} {namespace}-settled cannot be changed: it is deleted and made again" in planned
    shop.run("apply")
    assert settled(shop) == ("other", 5, "other", "example.com/other")
    shop.run("status")
    shop.run("rollback")
    assert settled(shop) == ("one", 3, "one", "example.com/one")
    shop.run("uninstall")


def settled(shop: Landscape) -> tuple[object, ...]:
    kinds = ("configmap", "priorityclass", "storageclass", "ingressclass")
    found = [shop.api.json("get", kind, f"{shop.namespace}-settled", "-n", shop.namespace) for kind in kinds]
    plain, priority, storage, ingress = found
    version, controller = plain["data"]["version"], ingress["spec"]["controller"]
    return version, priority["value"], storage["parameters"]["version"], controller


def test_the_way_back_makes_again_what_was_made_in_another_shape(
    api: ApiServer, tmp_path: Path, helm: Path, namespace: str
) -> None:
    """The vendor's hook deletes a Service, Helm makes it in another shape, and then the next chart fails."""
    shop = made(api, tmp_path, helm, namespace, db=service(clusterIP="None"))
    delete = {"backup.sh": HOOKS["backup.sh"] + 'kubectl delete service fixed -n "$AIRSTORE_NAMESPACE"\n'}
    more = {"db": service(type="NodePort"), "web": {"templates/bad.yaml": REFUSED}}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), more, hooks=delete)
    assert "Refused_When_Real" in shop.run("apply", code=50).err
    assert api.json("get", "service", "fixed", "-n", namespace)["spec"]["clusterIP"] == "None"
    assert state(shop) == OLD
    assert shop.helm() == BOTH


def test_a_claim_that_has_grown_calls_for_the_operator(
    api: ApiServer, tmp_path: Path, helm: Path, namespace: str
) -> None:
    """Nobody but a person may delete data; afterwards the command that was named goes on."""
    shop = made(api, tmp_path, helm, namespace, db=claim("1Mi", "grows"))
    more = {"db": claim("2Mi", "grows"), "web": {"templates/bad.yaml": REFUSED}}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), more)
    failed = shop.run("apply", code=51).err
    assert "can not be less than status.capacity" in failed
    assert f"{namespace}/db" in failed
    assert f"airstore -C {shop.site.path} rollback --kubeconfig" in failed
    assert size(api, namespace) == "2Mi"
    # There is no controller here that would take the finalizer away.
    api.kubectl("delete", "pvc", "fixed", "-n", namespace, "--wait=false")
    api.kubectl("patch", "pvc", "fixed", "-n", namespace, "-p", '{"metadata":{"finalizers":null}}')
    shop.run("rollback")
    assert size(api, namespace) == "1Mi"
    assert state(shop) == OLD
    assert shop.helm() == BOTH


def size(api: ApiServer, namespace: str) -> str:
    """What the claim asks for."""
    live = api.json("get", "pvc", "fixed", "-n", namespace)
    asked: str = live["spec"]["resources"]["requests"]["storage"]
    return asked
