"""The bakery's night: a publisher with several releases, a site, and what kubectl and Helm say of it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.kubernetes.apply_binder import Cluster
from tests.support.kubernetes.apply_parts import Landscape
from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.night import bakery
from tests.support.night.bakery import APP, EVERY, HELM_RELEASES
from tests.support.product.e2e_road import Airstore, Result, Store, carry, site
from tests.support.tools import processes as apply_processes

CRASHES = "exit 3"
# What each release changes, and whether it works.
RELEASES: Mapping[str, Mapping[str, bakery.Values]] = {
    "1.0.0": {},
    "1.1.0": {**APP, "app": {"schema": "2"}},
    "1.2.0": {**APP, "app": {"schema": "3", "broken": CRASHES}},
    "1.3.0": {**EVERY, "app": {"schema": "3"}},
    "1.4.0": {**EVERY, "app": {"schema": "4"}, "panel": {"broken": CRASHES}},
    "1.5.0": {**APP, "app": {"schema": "5", "stumble": CRASHES}},
}


@dataclass(frozen=True)
class Seen:
    """What there is, as kubectl and Helm say.

    Attributes:
        orders: rows of the database.
        passwords: name of a Secret to the password in it.
        pods: Helm release to its pod's UID.
        helm: Helm release to its revision, its status and its chart.
        ready: Helm releases whose pod is ready.
    """

    orders: tuple[str, ...]
    passwords: Mapping[str, str] = field(repr=False)
    pods: Mapping[str, str]
    helm: Mapping[str, tuple[int, str, str]]
    ready: frozenset[str]


@dataclass
class Night(Landscape):
    """A publisher with all of `RELEASES`, and a site that holds them.

    Attributes:
        host: of the site's registry; one in the cluster is in the namespace ``NAMESPACE-registry``.
        options: of each apply and rollback.
    """

    host: str = ""
    options: tuple[str, ...] = ()

    @property
    def cluster(self) -> RealCluster:
        """The real one."""
        assert isinstance(self.api, RealCluster)
        return self.api

    def admin(self, *words: str | Path) -> Result:
        """``airstore registry`` at the site."""
        return self.site("registry", *words, variables={"KUBECONFIG": str(self.api.kubeconfig)})

    def run(self, *words: str | Path, code: int = 0) -> Result:
        """An airstore command on the site and its cluster."""
        return super().run(*words, *self._options(words), code=code)

    def begun(self, *words: str) -> subprocess.Popen[str]:
        """The same in a process of its own."""
        return apply_processes.begin(self, *words, *self._options(words))

    def _options(self, words: tuple[str | Path, ...]) -> tuple[str, ...]:
        return self.options if words[0] in {"apply", "rollback"} else ()

    def apply(self, version: str, *words: str, code: int = 0) -> str:
        """Apply a release; returns all that was said."""
        result = self.run("apply", "--release", version, *words, code=code)
        return result.out + result.err

    def with_helm(self, helm: Path) -> Night:
        """The same, by another Helm."""
        store = Store(Airstore(self.site.airstore.home, helm), self.site.path)
        return replace(self, site=store)

    def kubectl(self, *words: str, stdin: object = None) -> str:
        """In the product's namespace."""
        return self.api.kubectl("-n", self.namespace, *words, stdin=stdin)

    def get(self, *words: str) -> Any:
        """What ``kubectl get`` says there."""
        return self.api.json("-n", self.namespace, "get", *words)

    def in_database(self, script: str) -> str:
        """What a shell in the database's pod says."""
        return self.kubectl("exec", "database-0", "--", "/bin/busybox", "sh", "-c", script)

    def order(self, text: str) -> None:
        """A row of the product's users."""
        self.in_database(f"echo '{text}' >> /data/orders")

    def orders(self) -> tuple[str, ...]:
        """Rows of the database."""
        return tuple(self.in_database("/bin/busybox cat /data/orders").splitlines())

    def running(self) -> str:
        """The release that runs, without drift and healthy."""
        return str(self.run("status", "-o", "json").json["running"])

    def seen(self) -> Seen:
        """Everything that a row compares."""
        pods = [each for each in self.get("pods")["items"] if "deletionTimestamp" not in each["metadata"]]
        named = {each["metadata"]["labels"].get("app", ""): each for each in pods}
        every = ["--all"] if self.site.airstore.helm.name == "helm3" else []
        listed = json.loads(self.by_hand("list", "-o", "json", *every))
        return Seen(
            self.orders() if "database" in _ready(named) else (),
            {
                each["metadata"]["name"]: base64.b64decode(each["data"]["password"]).decode()
                for each in self.get("secret")["items"]
                if each["metadata"]["name"].endswith("-auth")
            },
            {name: named[name]["metadata"]["uid"] for name in HELM_RELEASES if name in named},
            {each["name"]: (int(each["revision"]), each["status"], each["chart"]) for each in listed},
            _ready(named),
        )

    def install_by_hand(self) -> None:
        """The old procedure, chart by chart: an upgrade of what ``helm list`` has, else an install."""
        self.publish_charts("1.0.0")
        for name in HELM_RELEASES:
            listed = json.loads(self.by_hand("list", "-o", "json"))
            verb = "upgrade" if name in {each["name"] for each in listed} else "install"
            registry = () if name == "panel" else ("--set", f"global.imageRegistry={self.host}")
            chart = str(self.directory / "product" / "charts" / name)
            waiting = ("--create-namespace", "--wait", "--timeout", "90s") if verb == "install" else ()
            self.by_hand(verb, name, chart, *registry, *waiting)

    def publish_charts(self, version: str) -> None:
        """Have the product's directory say a release."""
        bakery.write(self.directory / "product", self.namespace, version, RELEASES[version])

    def set_up(self, by_hand: bool) -> None:
        """Release 1.0.0 runs, installed by airstore or by hand, and the database has rows of its users."""
        self.start_over()
        if by_hand:
            self.install_by_hand()
        else:
            self.apply("1.0.0")
        self.order("order 2")

    def start_over(self) -> None:
        """Nothing of the product is in the cluster, and the site has applied nothing."""
        self.api.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=120s")
        shutil.rmtree(self.site.path)
        shutil.copytree(self.directory / "pristine", self.site.path)


def _ready(pods: Mapping[str, Any]) -> frozenset[str]:
    nothing = [{"ready": False}]
    return frozenset(
        name
        for name, pod in pods.items()
        if name in HELM_RELEASES
        and all(each["ready"] for each in pod["status"].get("containerStatuses", nothing))
    )


def make_night(
    cluster: Cluster,
    directory: Path,
    helm: Path,
    namespace: str,
    registry: Path | None,
    versions: Collection[str] = tuple(RELEASES),
) -> Night:
    """A publisher, and a site that holds its releases, all or some, and has no site file yet."""
    (directory / "home").mkdir()
    airstore = Airstore(directory / "home", helm)
    publisher, store = Store(airstore, directory / "publisher"), Store(airstore, directory / "site")
    night = Night(cluster, directory, publisher, store, namespace)
    for version in versions:
        changes = RELEASES[version]
        product = bakery.write(directory / "product", namespace, version, changes, registry)
        if version == "1.0.0":
            airstore("init", publisher.path, "--product", product)
            publisher("key", "generate", "release")
        publisher("release", "create", "--version", version)
        if version == "1.0.0":
            site(publisher, directory, version, effort="fast")
        else:
            carry(publisher, store, directory, version)
    return night


def write_site_file(night: Night, **registry: str) -> None:
    """Its registry alone; what the site is now is what `Night.start_over` goes back to."""
    registry["host"] = night.host
    document = {"apiVersion": "airstore/v1", "kind": "Site", "registry": registry}
    (night.site.path / "site.yaml").write_text(json.dumps(document))
