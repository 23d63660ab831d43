"""A product of one chart and one image, and airstore commands for its publisher and a site."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import airstore
from scripts.benchmarks.images import Images

_PRODUCT = """\
apiVersion: airstore/v1
kind: Product
name: bench
charts:
  - {name: app, source: ./app}
releases:
  - {name: app, namespace: bench, chart: app}
"""
_CHART = "apiVersion: v2\nname: app\nversion: 1.0.0\n"
_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  containers:
"""
_CONTAINER = """\
    - {name: app%d, image: "%s"}
"""


class Sides:
    """A publisher and a site in one directory; each method gives or runs one command.

    Args:
        base: the directory.
        images: what the releases consist of, all in one layout.
    """

    def __init__(self, base: Path, *images: Images) -> None:
        self.base, self._images = base, images

    @property
    def publisher(self) -> Path:
        return self.base / "publisher"

    @property
    def site(self) -> Path:
        return self.base / "site"

    @property
    def fast_site(self) -> Path:
        """A site that gets the same release from media made with --effort fast."""
        return self.base / "fast-site"

    def media(self, name: str) -> Path:
        return self.base / f"media-{name}"

    def begin(self, version: str) -> None:
        """New stores on both sides, and the product file as of a version."""
        shutil.rmtree(self.base, ignore_errors=True)
        self.write_product(version)
        run("airstore", "init", self.publisher, "--product", self.base / "product" / "airstore.yaml")
        run("airstore", "-C", self.publisher, "key", "generate", "release")
        root = self.publisher / "trust" / "root.json"
        for site in (self.site, self.fast_site):
            run("airstore", "init", site, "--site", "bench", "--trust", root)

    def write_product(self, version: str) -> None:
        """The product file and its chart, which asks for one version of the image."""
        templates = self.base / "product" / "app" / "templates"
        templates.mkdir(parents=True, exist_ok=True)
        (self.base / "product" / "airstore.yaml").write_text(_PRODUCT)
        (templates.parent / "Chart.yaml").write_text(_CHART)
        references = (images.reference(version) for images in self._images)
        containers = "".join(_CONTAINER % numbered for numbered in enumerate(references))
        (templates / "pod.yaml").write_text(_POD + containers)

    def create_release(self, version: str) -> list[str | Path]:
        source = f"*=oci:{self._images[0].layout}"
        command = ["release", "create", "--version", version, "--image-source", source, "-o", "json"]
        return ["airstore", "-C", self.publisher, *command]

    def create_media(
        self, name: str, version: str, base: str = "", effort: str = "normal"
    ) -> list[str | Path]:
        since = ["--from", base] if base else []
        how = ["--effort", effort, "-o", "json"]
        return [
            "airstore",
            "-C",
            self.publisher,
            "media",
            "create",
            "--to",
            version,
            *since,
            *how,
            self.media(name),
        ]

    def import_media(self, name: str, site: Path | None = None) -> list[str | Path]:
        return ["airstore", "-C", site or self.site, "media", "import", "-o", "json", self.media(name)]

    def push(self, version: str, host: str, site: Path | None = None) -> list[str | Path]:
        command = ["registry", "push", f"http://{host}", "--release", version, "-o", "json"]
        return ["airstore", "-C", site or self.site, *command]

    def import_and_push(self, name: str, host: str) -> list[str | Path]:
        """Both in one command."""
        return [*self.import_media(name), "--push", f"http://{host}"]

    def place(self, version: str) -> str:
        """Repository and tag of the first image in a site's registry."""
        return self._images[0].reference(version).partition("/")[2]


def run(*command: str | Path) -> str:
    """Run a command that is part of the set-up; its standard output. Leaves the script where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join(map(str, command))
        sys.exit(f"{words}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def run_json(command: list[str | Path]) -> Any:
    """Run a command that answers in JSON; a listing's items."""
    document = json.loads(run(*command))
    return document.get("items", document)


def find_helm() -> None:
    """Tell airstore which Helm to use where the environment does not."""
    found = next(filter(None, map(shutil.which, ("helm", "helm4", "helm3"))), None)
    if not os.environ.get("AIRSTORE_HELM"):
        os.environ["AIRSTORE_HELM"] = found or sys.exit("no helm on PATH: run scripts/tools")


def compile_modules() -> None:
    """Compile airstore's modules, as an installation does; else commands may do so again and again.

    With ``PYTHONDONTWRITEBYTECODE`` no command keeps what it has compiled.
    """
    if not compileall.compile_dir(Path(airstore.__file__).parent, quiet=1):
        sys.exit("airstore's modules cannot be compiled")


def tree_size(directory: Path) -> int:
    """Bytes of all files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def skopeo_copy(source: str, target: str) -> list[str]:
    """Copy one image, as it is, over plain HTTP where a registry is involved."""
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests", "--quiet"]
    return ["skopeo", "copy", *plain, source, target]
