"""The bakery where no container runs: a stand-in does to the database's files what its programs would do.

What it knows of them: the database takes its password once; the application and its migration need that and a
schema when they begin; ``exit 3`` in a program ends it. Kubernetes' controllers and Helm are real.
"""

from __future__ import annotations

import base64
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airstore.cluster.api.objects import Objects
from scripts.images import fixture_images
from tests.support.kubernetes.apply_binder import binder
from tests.support.kubernetes.cluster_server import api_server, programs
from tests.support.night.cluster_pods import Fate, paper_cluster, runs
from tests.support.night.night_world import CRASHES, RELEASES, Night, make_night, write_site_file

_MIGRATES = 1.5  # seconds
_CLAIM = "data-database-0"


@contextmanager
def open_paper_night(
    directory: Path, helm: Path, namespace: str, versions: Collection[str] = tuple(RELEASES)
) -> Iterator[Night]:
    """A site with some of the releases, on an API server of its own."""
    found = programs()
    assert found, "etcd and kube-apiserver are not on PATH: run scripts/cluster build"
    volumes = directory / "volumes"
    volumes.mkdir()
    with pytest.MonkeyPatch.context() as patch, api_server(directory / "api", *found) as api:
        patch.setenv("PATH", f"{_kubectl(directory, volumes)}{os.pathsep}{os.environ['PATH']}")
        with binder(api), paper_cluster(api, _Programs(volumes)):
            night = make_night(api, directory, helm, namespace, None, versions)
            night.host, night.options = "registry.example.com", ("--no-push", "--no-check-images")
            write_site_file(night, mode="external")
            shutil.copytree(night.site.path, directory / "pristine")
            yield night


@dataclass
class _Programs:
    """What the bakery's containers would do.

    Attributes:
        volumes: a claim's UID is the name of its directory.
    """

    volumes: Path
    _begun: dict[str, float] = field(default_factory=dict)

    def __call__(self, objects: Objects, pod: dict[str, Any]) -> Fate:
        container = pod["spec"]["containers"][0]
        if container["image"].endswith("none:9"):
            return Fate.NO_IMAGE
        app = pod["metadata"].get("labels", {}).get("app")
        make = {"database": self._database, "app": self._app, "app-migration": self._migration}.get(app)
        if make:
            return make(objects, pod)
        return Fate.CRASHES if CRASHES in " ".join(container.get("command", ())) else runs(objects, pod)

    def _database(self, objects: Objects, pod: dict[str, Any]) -> Fate:
        volume, password = self._volume(objects, pod), _password(objects, pod)
        if not volume or not password:
            return Fate.WAITS
        volume.mkdir(exist_ok=True)
        for name, text in (("password", password), ("orders", "order 1\n"), ("schema", "1\n")):
            if not (volume / name).exists():
                (volume / name).write_text(text)
        return Fate.READY

    def _app(self, objects: Objects, pod: dict[str, Any]) -> Fate:
        if any(each["ready"] for each in pod["status"].get("containerStatuses", ())):
            return Fate.READY  # it has begun; it does not ask again
        program, volume = _text(objects, pod, "app-programs", "start"), self._login(objects, pod)
        if CRASHES in program.replace("exit 3; }", "").replace("exit 4; }", ""):
            return Fate.CRASHES
        good = volume and (volume / "schema").read_text().strip() == _schema(pod)
        return Fate.READY if good else Fate.CRASHES

    def _migration(self, objects: Objects, pod: dict[str, Any]) -> Fate:
        begun = self._begun.setdefault(pod["metadata"]["uid"], time.monotonic())
        if time.monotonic() - begun < _MIGRATES:
            return Fate.WORKS
        volume = self._login(objects, pod)
        have = int((volume / "schema").read_text()) if volume else 0
        if not volume or have > int(_schema(pod)):
            return Fate.FAILED
        for schema in range(have + 1, int(_schema(pod)) + 1):
            mark = f", schema {schema}"
            rows = [row.removesuffix(mark) + mark for row in (volume / "orders").read_text().splitlines()]
            (volume / "orders").write_text("\n".join(rows) + "\n")
            if CRASHES in _text(objects, pod, "app-migration", "migrate"):
                return Fate.FAILED
            (volume / "schema").write_text(f"{schema}\n")
        return Fate.DONE

    def _volume(self, objects: Objects, pod: dict[str, Any]) -> Path | None:
        claim = _find(objects, "PersistentVolumeClaim", pod, _CLAIM)
        return self.volumes / claim["metadata"]["uid"] if claim else None

    def _login(self, objects: Objects, pod: dict[str, Any]) -> Path | None:
        """The database's files, where it runs and lets somebody in who has the Secret's password."""
        volume, server = self._volume(objects, pod), _find(objects, "Pod", pod, "database-0")
        statuses = server["status"].get("containerStatuses", []) if server else []
        if not volume or not any(each["ready"] for each in statuses):
            return None
        return volume if (volume / "password").read_text() == _password(objects, pod) else None


def _find(objects: Objects, kind: str, pod: dict[str, Any], name: str) -> dict[str, Any] | None:
    """An object of the pod's namespace."""
    wanted = (pod["metadata"]["namespace"], name)
    for each in objects.list("v1", kind):
        if (each["metadata"]["namespace"], each["metadata"]["name"]) == wanted:
            return each
    return None


def _password(objects: Objects, pod: dict[str, Any]) -> str:
    found = _find(objects, "Secret", pod, "database-auth")
    return base64.b64decode(found["data"]["password"]).decode() if found else ""


def _text(objects: Objects, pod: dict[str, Any], name: str, key: str) -> str:
    found = _find(objects, "ConfigMap", pod, name)
    return str(found["data"][key]) if found else ""


def _schema(pod: dict[str, Any]) -> str:
    variables = {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0]["env"]}
    return str(variables["SCHEMA"])


def _kubectl(directory: Path, volumes: Path) -> Path:
    """A directory with a kubectl whose ``exec`` runs here, on the files of the database's claim."""
    real, busybox = shutil.which("kubectl"), fixture_images.find_busybox()
    assert real
    assert busybox
    program = directory / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{_EXEC.format(real, str(volumes), str(busybox), _CLAIM)}")
    program.chmod(0o755)
    return program.parent


_EXEC = """
import json, os, subprocess, sys
real, volumes, busybox, claim = {!r}, {!r}, {!r}, {!r}
words = sys.argv[1:]
if "exec" not in words:
    os.execv(real, ["kubectl", *words])
before, command = words[:words.index("--")], words[words.index("--") + 1:]
options = [word for word in before if word not in ("exec", "-i", "database-0")]
both = [real, *options, "get", "pod/database-0", "pvc/" + claim, "-o", "json"]
pod, volume = json.loads(subprocess.check_output(both))["items"]
if not all(each["ready"] for each in pod["status"].get("containerStatuses", [dict(ready=False)])):
    sys.exit("the database does not run")
data = os.path.join(volumes, volume["metadata"]["uid"])
command = [word.replace("/data", data).replace("/bin/busybox", busybox) for word in command]
os.execv(command[0], command)
"""
