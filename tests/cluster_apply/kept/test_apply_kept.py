"""What was installed is kept: random values come about once, and come back as they were; drift is real
drift."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from airstore.core.parsing import yamlfile
from tests.support.kubernetes.apply_parts import REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

_OPEN = """apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}-open
  annotations: {rendered: {{ now | unixEpoch | quote }}, kube: {{ .Capabilities.KubeVersion.Version }}}
stringData: {password: {{ randAlphaNum 24 | quote }}, as: {{ ternary "an upgrade" "1st" .Release.IsUpgrade }}}
"""
_GUARDED = """{{- $old := lookup "v1" "Secret" .Release.Namespace (printf "%s-guarded" .Release.Name) }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-guarded}
data:
  {{- if $old }}
  password: {{ index $old.data "password" }}
  {{- else }}
  password: {{ randAlphaNum 24 | b64enc | quote }}
  {{- end }}
"""
_SERVICE = """apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 80}, {name: dns, port: 53, protocol:
    UDP, targetPort: 53}]}
"""
CHARTS = {
    "db": {"templates/guarded.yaml": _GUARDED},
    "web": {"templates/open.yaml": _OPEN, "templates/service.yaml": _SERVICE},
}
VERSIONS = dict.fromkeys(CHARTS, "1.0.0")


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm: Path, namespace: str) -> Landscape:
    """Release 1.0.0 of two charts with random values runs."""
    made = landscape(api, tmp_path, helm, namespace)
    made.release("1.0.0", VERSIONS, CHARTS)
    made.run("apply")
    return made


def objects(shop: Landscape, kind: str) -> dict[str, Any]:
    listed = shop.api.json("get", kind, "-n", shop.namespace)["items"]
    return {each["metadata"]["name"]: each for each in listed}


def passwords(shop: Landscape) -> dict[str, str]:
    found = objects(shop, "secret")
    return {
        name: base64.b64decode(each["data"]["password"]).decode()
        for name, each in found.items()
        if name.endswith(("-open", "-guarded"))
    }


def revisions(shop: Landscape) -> dict[str, int]:
    return {each["name"]: int(each["revision"]) for each in json.loads(shop.by_hand("list", "-o", "json"))}


def versions(shop: Landscape) -> dict[str, str]:
    """Every object's resource version: nothing has touched it if that stays."""
    kinds = ("secret", "configmap", "service")
    return {
        f"{kind}/{name}": each["metadata"]["resourceVersion"]
        for kind in kinds
        for name, each in objects(shop, kind).items()
    }


def drift(shop: Landscape) -> dict[str, list[str]]:
    found = shop.run("status", "-o", "json", code=60).json
    return {each["name"]: each["drift"] for each in found["releases"] if each["drift"]}


def test_a_clean_apply_leaves_no_drift_and_a_second_one_changes_nothing(shop: Landscape) -> None:
    before = versions(shop)
    seen = shop.run("status", "-o", "json").json
    assert (seen["condition"], seen["good"]) == ("good", True)
    assert "nothing to do" in shop.run("apply").out
    planned = shop.run("apply", "--dry-run", "-o", "json").json
    assert {step["action"] for step in planned["steps"]} == {"unchanged"}
    assert revisions(shop) == {"db": 1, "web": 1}
    assert versions(shop) == before


def test_charts_see_the_cluster_they_are_installed_in(shop: Landscape) -> None:
    server = shop.api.json("version")["serverVersion"]["gitVersion"]
    kept = objects(shop, "secret")["web-open"]["metadata"]["annotations"]["kube"]
    assert kept == server
    shop.release("1.1.0", {**VERSIONS, "web": "1.1.0"}, CHARTS)
    (step,) = [
        each for each in shop.run("apply", "--dry-run", "-o", "json").json["steps"] if each["name"] == "web"
    ]
    assert f"kube: {server}" in step["diff"]
    shop.run("apply")
    assert base64.b64decode(objects(shop, "secret")["web-open"]["data"]["as"]) == b"an upgrade"


def test_what_a_person_changed_is_drift_and_is_put_back_as_it_was(shop: Landscape) -> None:
    before, old = passwords(shop), revisions(shop)
    hacked = {"stringData": {"password": "changed"}}
    shop.api.kubectl("patch", "secret", "web-open", "-n", shop.namespace, "-p", json.dumps(hacked))
    port = {"spec": {"ports": [{"port": 80, "name": "http", "targetPort": 8080}]}}
    shop.api.kubectl("patch", "service", "web", "-n", shop.namespace, "-p", json.dumps(port))
    shop.api.kubectl("delete", "configmap", "db-config", "-n", shop.namespace)
    shop.api.kubectl("label", "service", "web", "-n", shop.namespace, "of=somebody")  # no field of the chart
    assert drift(shop) == {
        "db": ["ConfigMap db-config: absent"],
        "web": [
            "Secret web-open: data.password: another value than was installed",
            "Service web: spec.ports[http].targetPort: 8080 instead of 80",
        ],
    }
    shop.run("apply", "--repair")
    assert passwords(shop) == before
    assert revisions(shop) == old
    assert objects(shop, "service")["web"]["metadata"]["labels"]["of"] == "somebody"
    assert shop.run("status", "-o", "json").json["condition"] == "good"
    # What was put back is Helm's: the next chart takes it away again.
    less = {**CHARTS, "web": {"templates/open.yaml": _OPEN}, "db": {"templates/config.yaml": "# none\n"}}
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), less)
    shop.run("apply")
    assert "web" not in objects(shop, "service")
    assert "db-config" not in objects(shop, "configmap")


def test_a_plain_apply_says_what_drifted_and_leaves_it(shop: Landscape) -> None:
    shop.api.kubectl("delete", "configmap", "db-config", "-n", shop.namespace)
    ended = shop.run("apply")
    assert "ConfigMap db-config: absent" in ended.out + ended.err
    assert "apply --repair" in ended.out + ended.err


@pytest.mark.parametrize("way", ["failed upgrade", "rollback"])
def test_a_rollback_brings_back_the_very_secrets(shop: Landscape, way: str) -> None:
    before = passwords(shop)
    spoiled = {**CHARTS, "web": {**CHARTS["web"], "templates/z.yaml": REFUSED}}
    charts = spoiled if way == "failed upgrade" else CHARTS
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), charts)
    if way == "failed upgrade":
        assert "release 1.0.0 runs again" in shop.run("apply", code=50).err
    else:
        shop.run("apply")
        assert passwords(shop)["web-open"] != before["web-open"]  # nothing guards it
        assert passwords(shop)["db-guarded"] == before["db-guarded"]
        shop.run("rollback")
    assert passwords(shop) == before
    assert {shop.config(name) for name in CHARTS} == {"1.0.0"}
    assert shop.run("status", "-o", "json").json["condition"] == "good"
    again = {
        step["action"]
        for step in shop.run("apply", "--release", "1.0.0", "--dry-run", "-o", "json").json["steps"]
    }
    assert again == {"unchanged"}


def test_what_was_done_by_hand_is_seen_and_undone(shop: Landscape) -> None:
    shop.release("1.1.0", {**VERSIONS, "web": "1.1.0"}, CHARTS)
    shop.run("apply")
    before = passwords(shop)
    shop.by_hand("rollback", "web", "1")
    (web,) = [
        each for each in shop.run("status", "-o", "json", code=60).json["releases"] if each["name"] == "web"
    ]
    assert "revision 3 was not installed by airstore, which left revision 2" in web["disturbed"]
    planned = {each["name"]: each for each in shop.run("apply", "--dry-run", "-o", "json").json["steps"]}
    assert planned["web"]["action"] == "change"
    assert "revision 3" in planned["web"]["reason"]
    assert planned["db"]["action"] == "unchanged"
    shop.run("apply", "--repair")
    assert shop.config("web") == "1.1.0"
    assert passwords(shop) == before
    assert "nothing to do" in shop.run("apply").out


def test_what_helm_lost_is_installed_again_with_its_secrets(shop: Landscape) -> None:
    before = passwords(shop)
    shop.by_hand("uninstall", "web")
    assert "web-open" not in passwords(shop)
    assert shop.run("status", "-o", "json", code=61).json["releases"][1]["helm"] == "absent"
    shop.run("apply", "--repair")
    assert passwords(shop) == before
    assert shop.run("status", "-o", "json").json["condition"] == "good"


def test_what_is_ignored_is_neither_drift_nor_put_back(shop: Landscape) -> None:
    rules = {
        "ignore": [{"paths": ["/spec/ports/0/targetPort"], "target": {"kind": "Service", "name": "we*"}}]
    }
    path = shop.site.path / "site.yaml"
    site = yamlfile.load(path.read_bytes(), "site.yaml") if path.exists() else {}
    path.write_text(
        json.dumps({"apiVersion": "airstore/v1", "kind": "Site", **site, "drift": {"web": rules}})
    )
    port = {"spec": {"ports": [{"port": 80, "name": "http", "targetPort": 8080}]}}
    shop.api.kubectl("patch", "service", "web", "-n", shop.namespace, "-p", json.dumps(port))
    assert shop.run("status", "-o", "json").json["condition"] == "good"
    shop.api.kubectl(
        "patch", "service", "web", "-n", shop.namespace, "-p", '{"spec": {"selector": {"app": "x"}}}'
    )
    assert drift(shop) == {"web": ["Service web: spec.selector.app: 'x' instead of 'web'"]}
    shop.run("apply", "--repair")
    spec = objects(shop, "service")["web"]["spec"]
    assert (spec["ports"][0]["targetPort"], spec["selector"]["app"]) == (8080, "web")


@pytest.mark.parametrize(("first", "then"), [("helm3", "helm4"), ("helm4", "helm3")])
def test_another_helm_goes_on_with_what_one_installed(
    api: ApiServer, tmp_path: Path, namespace: str, helm3: Path, helm4: Path, first: str, then: str
) -> None:
    programs = {"helm3": helm3, "helm4": helm4}
    shop = landscape(api, tmp_path, programs[first], namespace)
    shop.release("1.0.0", VERSIONS, CHARTS)
    shop.run("apply")
    before = passwords(shop)
    other = ("--helm", programs[then])
    # Fields of others: one that the chart has not got, one that it has.
    shop.api.kubectl("annotate", "secret", "db-guarded", "-n", namespace, "team=blue", "--field-manager=them")
    assert "nothing to do" in shop.run("apply", *other).out
    assert shop.run("status", "-o", "json", *other).json["condition"] == "good"
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), {**CHARTS, "web": {"templates/open.yaml": _OPEN}})
    shop.run("apply", *other)
    assert {shop.config(name) for name in CHARTS} == {"1.1.0"}
    assert "web" not in objects(shop, "service")
    shop.run("rollback", *other)
    assert passwords(shop) == before
    assert "web" in objects(shop, "service")
    owners = objects(shop, "secret")["db-guarded"]["metadata"]
    assert owners["annotations"]["team"] == "blue"
    assert shop.run("status", "-o", "json", *other).json["condition"] == "good"
    shop.release("1.2.0", dict.fromkeys(CHARTS, "1.2.0"), CHARTS)
    shop.run("apply", "--release", "1.2.0")  # and the first Helm again
    assert {shop.config(name) for name in CHARTS} == {"1.2.0"}
