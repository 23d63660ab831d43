"""A publisher, a site and an API server; Helm installs ConfigMaps there, and nothing has to run pods."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.kubernetes.apply_binder import Cluster
from tests.support.product.apply_product import (
    ENDLESS,
    HOOKS,
    INVALID,
    REFUSED,
    SCRIPTS,
    make_product,
    write_charts,
)
from tests.support.product.e2e_road import Airstore, Result, Store, carry, publisher, run, site, write_product

__all__ = ["ENDLESS", "HOOKS", "INVALID", "REFUSED", "Landscape", "landscape"]


@dataclass
class Landscape:
    """A publisher, a site and an API server.

    Attributes:
        namespace: of every Helm release.
        scripts: name of a hook of the database to its file.
        others: Helm release to the same, of others that have hooks.
    """

    api: Cluster
    directory: Path
    publisher: Store
    site: Store
    namespace: str
    scripts: Mapping[str, str] = field(default_factory=lambda: SCRIPTS)
    others: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def write(
        self,
        charts: Mapping[str, str],
        more: Mapping[str, Mapping[str, str]] | None = None,
        needs: Mapping[str, tuple[str, ...]] | None = None,
        hooks: Mapping[str, str] | None = None,
        timeout: str = "30s",
    ) -> None:
        """The product file and what it names."""
        product = self.directory / "product"
        write_charts(product, charts, more or {})
        for name, text in {**HOOKS, **(hooks or {})}.items():
            (product / "hooks").mkdir(exist_ok=True)
            (product / "hooks" / name).write_text(text)
        order = {name: (needs or {}).get(name, tuple(charts)[:index]) for index, name in enumerate(charts)}
        write_product(product, make_product(self.namespace, order, timeout, self.scripts, self.others))

    def release(
        self,
        version: str,
        charts: Mapping[str, str],
        more: Mapping[str, Mapping[str, str]] | None = None,
        **options: Any,
    ) -> None:
        """Make a release and carry it to the site; see `write`."""
        self.write(charts, more, **options)
        self.publisher("release", "create", "--version", version)
        if (self.site.path / "airstore.json").exists():
            carry(self.publisher, self.site, self.directory, version)
        else:
            site(self.publisher, self.directory, version)

    def run(self, *words: str | Path, code: int = 0) -> Result:
        """An airstore command on the site and its cluster."""
        return self.site(*words, "--kubeconfig", self.api.kubeconfig, code=code)

    def kill_points(self) -> list[int]:
        """Where the run that ended last could have been killed, for `killed_at`.

        That is before and after every line of its journal; but when a step begins, nothing has happened
        since the line before.
        """
        newest = max(
            self.site.path.glob("deploy/runs/*/journal.jsonl"), key=lambda path: path.stat().st_mtime
        )
        lines = [json.loads(line) for line in newest.read_text().splitlines()]
        assert "end" in lines[-1]
        either = [(2 * number, line) for number, line in enumerate(lines, start=1)]
        before = [point - 1 for point, line in either if line.get("status") != "begin"]
        return sorted([*before, *(point for point, _ in either)])

    def killed_at(self, point: int, *words: str) -> None:
        """Run a command in a process of its own that is killed before or after a line of its journal."""
        script = Path(__file__).parents[1] / "faults" / "killed_apply.py"
        options = ["--kubeconfig", str(self.api.kubeconfig)]
        argv = [sys.executable, str(script), str(point), "-C", str(self.site.path), *words, *options]
        done = subprocess.run(
            argv, capture_output=True, text=True, env=self.environment, timeout=120, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr

    @property
    def environment(self) -> dict[str, str]:
        """Of commands in processes of their own."""
        return {**os.environ, **self.site.airstore.environment}

    def by_hand(self, *words: str) -> str:
        """What somebody does with Helm alone."""
        flags = ["--kubeconfig", str(self.api.kubeconfig), "-n", self.namespace]
        return run(self.site.airstore.helm, *words, *flags)

    def everything(self) -> object:
        """Every object of the namespace but events, as kubectl sees it."""
        kinds = "configmap,secret,pvc,deployment,job"
        return self.api.json("get", kinds, "-n", self.namespace)["items"]

    def config(self, name: str) -> str:
        """Version that a Helm release's ConfigMap says, empty if there is none; as kubectl sees it."""
        names = self.api.kubectl("get", "configmap", "-n", self.namespace, "-o", "name").split()
        if f"configmap/{name}-config" not in names:
            return ""
        found = self.api.json("get", "configmap", "-n", self.namespace, f"{name}-config")
        version: str = found["data"]["version"]
        return version

    def table(self) -> str:
        """What the database holds."""
        found = self.api.json("get", "configmap", "-n", self.namespace, "database")
        table: str = found["data"]["table"]
        return table

    def helm(self) -> dict[str, str]:
        """Helm release to its status, as Helm says."""
        every = ["--all"] if self.site.airstore.helm.name == "helm3" else []
        listed = json.loads(self.by_hand("list", "-o", "json", *every))
        return {each["name"]: each["status"] for each in listed}

    def claims(self) -> list[str]:
        """Names of volume claims."""
        return sorted(self.api.kubectl("get", "pvc", "-n", self.namespace, "-o", "name").split())


def landscape(api: Cluster, directory: Path, helm: Path, namespace: str) -> Landscape:
    """A publisher with a key; the first release makes the site."""
    (directory / "home").mkdir(exist_ok=True)
    airstore = Airstore(directory / "home", helm)
    product = directory / "product"
    (product / "hooks").mkdir(parents=True)
    for name, text in HOOKS.items():
        (product / "hooks" / name).write_text(text)
    write_charts(product, {"db": "1.0.0"}, {})
    store = publisher(airstore, directory, make_product(namespace, {"db": ()}))
    return Landscape(api, directory, store, Store(airstore, directory / "site"), namespace)
