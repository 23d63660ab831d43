"""Images: what nodes could not pull is said before anything is changed, and references are rewritten."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.images import fixture_images
from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.product.e2e_road import Airstore, Result, Store, carry, publisher, run, site
from tests.support.registry.servers import RegistryServer

pytestmark = [pytest.mark.cluster, pytest.mark.root]

API, WORKER = "registry.example.com/shop/api:1.0.0", "registry.example.com/shop/worker:1.0.0"
_numbers = itertools.count()
# A CronJob has pods, but a bare API server counts it as ready.
_CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": f"image: {API}\n",
    "templates/all.yaml": f"""apiVersion: batch/v1
kind: CronJob
metadata: {{name: web}}
spec:
  schedule: "0 0 1 1 *"
  jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [
    {{name: web, image: "{{{{ .Values.image }}}}", args: ["--worker-image={WORKER}"]}}]}}}}}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data: {{worker: "image: {WORKER}"}}
""",
}
_HOOK = f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: hook, annotations: {{helm.sh/hook: "pre-install,pre-upgrade"}}}}
data: {{image: "{API}"}}
"""


@dataclass
class Web:
    """A site of a product whose one chart is rewritten, and a registry of its own."""

    api: ApiServer
    registry: RegistryServer
    store: Store
    namespace: str
    prefix: str

    def apply(self, *words: str, code: int = 0) -> Result:
        return self.run("apply", *words, code=code)

    def run(self, command: str, *words: str, code: int = 0) -> Result:
        options = ("--kubeconfig", self.api.kubeconfig, "--plain-http", self.registry.host)
        return self.store(command, *options, *words, code=code)

    def get(self, *words: str) -> Any:
        return self.api.json("get", "-n", self.namespace, *words)

    def write_site_file(self, values: Mapping[str, object] | None = None) -> None:
        document = {
            "apiVersion": "airstore/v1",
            "kind": "Site",
            "registry": {
                "mode": "external",
                "host": self.registry.host,
                "prefix": self.prefix,
                "pullUser": "puller",
                "pullPasswordFile": "pull.txt",
            },
            "values": {"web": dict(values or {})},
        }
        (self.store.path / "pull.txt").write_text("h0rse-battery\n")
        (self.store.path / "site.yaml").write_text(json.dumps(document))

    def untouched(self) -> bool:
        """Nothing but what every namespace has, as kubectl sees it."""
        return not self.get("secret,cronjob")["items"]


def make_web(
    api: ApiServer, registry: RegistryServer, directory: Path, helm: Path, namespace: str, hook: str = ""
) -> Web:
    product = directory / "product"
    files = _CHART | ({"templates/hook.yaml": hook} if hook else {})
    for name, text in files.items():
        (product / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (product / "web" / name).write_text(text)
    fixture_images.build(product / "images", [API, WORKER])
    (directory / "home").mkdir()
    rewritten = {"name": "web", "namespace": namespace, "chart": "web", "references": "rewrite"}
    document = {
        "charts": [{"name": "web", "source": "./web"}],
        "releases": [{**rewritten, "timeout": "30s"}],
        "images": {"sources": {"*": "oci:images"}},
    }
    source = publisher(Airstore(directory / "home", helm), directory, document)
    source("release", "create", "--version", "1.0.0")
    # Pods of a namespace get the pull secret by its account, which no controller makes here.
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    for where in (namespace, "airstore"):
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": where}}
        api.kubectl("apply", "-f", "-", stdin=made)
        api.kubectl("apply", "-n", where, "-f", "-", stdin=account)
    web = Web(api, registry, site(source, directory, "1.0.0"), namespace, f"web{next(_numbers)}")
    web.write_site_file()
    return web


def test_references_are_rewritten_and_pods_get_the_pull_secret(
    api: ApiServer, registry: RegistryServer, tmp_path: Path, helm: Path, namespace: str
) -> None:
    web = make_web(api, registry, tmp_path, helm, namespace, _HOOK if helm.name == "helm4" else "")
    web.apply()
    place, digests = f"{registry.host}/{web.prefix}", web.store.images("1.0.0")
    pod = web.get("cronjob", "web")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"] == f"{place}/shop/api:1.0.0@{digests[API]}"
    assert container["args"] == [f"--worker-image={place}/shop/worker:1.0.0"]
    assert pod["imagePullSecrets"] == [{"name": "registry-pull"}]
    assert web.get("configmap", "web")["data"] == {"worker": f"image: {place}/shop/worker:1.0.0"}
    if helm.name == "helm4":
        assert web.get("configmap", "hook")["data"] == {"image": f"{place}/shop/api:1.0.0"}
    assert web.get("serviceaccount", "default")["imagePullSecrets"] == [{"name": "registry-pull"}]
    assert web.get("secret", "registry-pull")["type"] == "kubernetes.io/dockerconfigjson"
    web.store.airstore.never_said("h0rse-battery")
    # What skopeo reads under the rewritten reference is what the publisher has.
    words = ("skopeo", "inspect", "--raw", "--tls-verify=false")
    assert run(*words, f"docker://{container['image'].replace(':1.0.0@', '@')}")
    seen = web.store("status", "-o", "json", "--kubeconfig", api.kubeconfig).json["releases"]
    assert [each["drift"] for each in seen] == [[]]
    assert "nothing to do" in web.apply().out


def test_hooks_that_helm_3_does_not_show_are_said(
    api: ApiServer, registry: RegistryServer, tmp_path: Path, helm3: Path, namespace: str
) -> None:
    web = make_web(api, registry, tmp_path, helm3, namespace, _HOOK)
    failed = web.apply(code=50).err
    assert "ConfigMap hook: data.image" in failed
    assert "Helm 3 hands no hooks" in failed
    assert web.untouched()


def test_images_that_the_registry_lacks(
    api: ApiServer, registry: RegistryServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    web = make_web(api, registry, tmp_path, helm4, namespace)
    failed = web.apply("--no-push", code=50).err
    assert "has no image shop/api:1.0.0" in failed
    assert "registry push --release 1.0.0" in failed
    assert web.untouched()
    assert "to upload" in web.apply("--dry-run").out
    assert web.untouched()
    # Another image under the same tag, put there by stock skopeo.
    web.store("registry", "push", "--plain-http", registry.host)
    place = f"docker://{registry.host}/{web.prefix}/shop"
    tls = ("--src-tls-verify=false", "--dest-tls-verify=false")
    run("skopeo", "copy", *tls, f"{place}/worker:1.0.0", f"{place}/api:1.0.0")
    assert "has other content under shop/api:1.0.0" in web.apply("--no-push", code=50).err
    assert web.untouched()
    web.apply()  # pushes again
    assert web.get("cronjob")["items"]


def test_an_image_that_the_release_does_not_carry(
    api: ApiServer, registry: RegistryServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    web = make_web(api, registry, tmp_path, helm4, namespace)
    for image in ("registry.example.com/shop/api:9.9.9", f"{registry.host}/{web.prefix}/shop/none:1.0.0"):
        web.write_site_file({"image": image})
        failed = web.apply(code=50).err
        assert f"the release does not carry {image}" in failed
        assert "CronJob web: " in failed
        assert web.untouched()
    web.write_site_file({"image": "tools.site.example/own:1"})  # the site's own business
    web.apply()
    assert web.get("cronjob")["items"]


NEWER = API.replace("1.0.0", "1.1.0")


def test_images_of_what_would_come_back_are_pushed_and_checked_before_anything_is_stopped(
    api: ApiServer, registry: RegistryServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    web = make_web(api, registry, tmp_path, helm4, namespace)
    web.apply()
    product = tmp_path / "product"
    (product / "web" / "Chart.yaml").write_text(_CHART["Chart.yaml"].replace("1.0.0", "1.1.0"))
    (product / "web" / "values.yaml").write_text(f"image: {NEWER}\n")
    fixture_images.build(product / "images", [API, NEWER, WORKER])
    source = Store(web.store.airstore, tmp_path / "publisher")
    source("release", "create", "--version", "1.1.0")
    carry(source, web.store, tmp_path, "1.1.0")
    digest = web.store.images("1.0.0")[API]
    place = f"{registry.host}/{web.prefix}/shop"
    spoil(place)
    before = web.get("cronjob,secret")["items"]
    failed = web.apply("--no-push", code=50).err
    assert (
        f"going back to 1.0.0: {registry.host}/{web.prefix} has other content under shop/api:1.0.0" in failed
    )
    assert "nothing was changed" in failed
    assert web.get("cronjob,secret")["items"] == before
    assert "pushed 1.0.0 to" in web.apply().err
    assert served(f"{place}/api:1.0.0") == digest
    spoil(place)
    before = web.get("cronjob,secret")["items"]
    for words in (("--no-push", "--dry-run"), ("--no-push",)):
        failed = web.run("rollback", *words, code=50).err
        assert "going back to 1.0.0: " in failed
        assert "has other content under shop/api:1.0.0" in failed
        assert "registry push --release 1.0.0" in failed
    assert web.get("cronjob,secret")["items"] == before
    assert "pushed 1.0.0 to" in web.run("rollback").err
    assert served(f"{place}/api:1.0.0") == digest
    pod = web.get("cronjob", "web")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"{place}/api:1.0.0@{digest}"


def spoil(place: str) -> None:
    """Another image under the tag, put there by stock skopeo."""
    tls = ("--src-tls-verify=false", "--dest-tls-verify=false")
    run("skopeo", "copy", *tls, f"docker://{place}/worker:1.0.0", f"docker://{place}/api:1.0.0")


def served(image: str) -> str:
    """The digest of what the registry has under a tag."""
    return run(
        "skopeo", "inspect", "--format", "{{.Digest}}", "--tls-verify=false", f"docker://{image}"
    ).strip()
