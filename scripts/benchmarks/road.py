"""Benchmark beside skopeo and docker, on the same images, in one run: A B A B, medians of paired ratios.

Nothing here fails because of a time. See docs/benchmarks/ for what the rows mean and for figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from scripts.benchmarks.images import VERSIONS, Images, make_images
from scripts.benchmarks.process import Measured, measure
from scripts.benchmarks.product import Sides, compile_modules, find_helm, run, skopeo_copy, tree_size
from scripts.benchmarks.report import Row, report
from scripts.benchmarks.servers import Docker, Registry, docker, registry

OLD, NEW = VERSIONS


class Bench:
    """One run: every step of a round is measured once a round."""

    def __init__(self, work: Path, images: Images, upstream: Registry, daemon: Docker | None) -> None:
        self.work = work
        self.images = images
        self.upstream = upstream
        self.daemon = daemon
        self.sides = Sides(work / "sides", images)
        self.source = f"oci:{images.layout}:{images.reference(OLD)}"
        self.place = self.sides.place(OLD)
        self.runs: defaultdict[str, list[Measured]] = defaultdict(list)
        self.sizes: dict[str, int] = {}

    def measure(self, label: str, command: Iterable[str | Path], *servers: int) -> None:
        self.runs[label].append(measure(command, servers=servers))
        print(".", end="", file=sys.stderr, flush=True)

    def round(self) -> None:
        """airstore's steps and the others' alternate, so that both meet the same noise."""
        sides = self.sides
        sides.begin(OLD)
        self.measure("start", ["airstore", "--version"])
        self.measure("ingest", sides.create_release(OLD))
        self.skopeo_pull()
        self.measure("media full", sides.create_media("full", OLD))
        self.measure("import full", sides.import_media("full"))
        self.skopeo_push("skopeo dir>docker", f"dir:{self.work / 'pulled'}")
        self.push("push", sides.site)
        self.skopeo_push("skopeo oci>docker", self.source)
        self.fast()
        sides.write_product(NEW)
        self.measure("ingest update", sides.create_release(NEW))
        self.measure("media delta", sides.create_media("delta", NEW, OLD))
        self.measure("import delta", sides.import_media("delta"))
        self.measure("import delta on fast", sides.import_media("delta", sides.fast_site))
        if self.daemon:
            self.docker(self.daemon)
        self.sizes |= {name: tree_size(sides.media(name)) for name in ("full", "fast", "delta")}

    def skopeo_pull(self) -> None:
        target = self.work / "pulled"
        shutil.rmtree(target, ignore_errors=True)
        command = skopeo_copy(f"docker://{self.upstream.host}/{self.place}", f"dir:{target}")
        self.measure("skopeo docker>dir", command, self.upstream.pid)

    def skopeo_push(self, label: str, source: str) -> None:
        with registry(self.work / "target") as target:
            self.measure(label, skopeo_copy(source, f"docker://{target.host}/{self.place}"), target.pid)

    def push(self, label: str, site: Path) -> None:
        with registry(self.work / "target") as target:
            self.measure(label, self.sides.push(OLD, target.host, site), target.pid)

    def fast(self) -> None:
        """The same release on media whose layers a site copies."""
        sides = self.sides
        self.measure("media fast", sides.create_media("fast", OLD, effort="fast"))
        self.measure("import fast", sides.import_media("fast", sides.fast_site))
        self.push("push fast", sides.fast_site)

    def docker(self, daemon: Docker) -> None:
        client = " ".join(daemon.command)
        archive = self.work / "saved.tar.gz"
        image = f"{self.upstream.host}/{self.place}"
        run(*daemon.command, "pull", "--quiet", image)
        script = f"set -o pipefail; {client} save {image} | gzip > {archive}"
        self.measure("docker save | gzip", ["bash", "-c", script], daemon.pid)
        self.sizes["docker save | gzip"] = archive.stat().st_size
        run(*daemon.command, "rmi", image)
        with registry(self.work / "target") as target:
            name = f"{target.host}/{self.place}"
            script = f"{client} load -i {archive} && {client} tag {image} {name} && {client} push -q {name}"
            command = ["bash", "-e", "-o", "pipefail", "-c", script]
            self.measure("docker load, push", command, daemon.pid, target.pid)
        run(*daemon.command, "rmi", image, name)

    def rows(self) -> list[Row]:
        full, new = self.images.size(OLD), self.images.size(NEW)
        layer = self.images.blobs(NEW)[self.images.layers(NEW)[-1]]
        sizes = {"start": 0, "ingest update": new, "media delta": layer, "import delta": layer}
        sizes["import delta on fast"] = layer
        return [Row(label, sizes.get(label, full), tuple(runs)) for label, runs in self.runs.items()]

    def facts(self) -> dict[str, Any]:
        images = self.images
        return {
            "cores": os.cpu_count(),
            "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "python": platform.python_version(),
            "image": {version: images.size(version) for version in VERSIONS},
            "image_plain": {version: images.plain_size(version) for version in VERSIONS},
            "changed_layer": images.blobs(NEW)[images.layers(NEW)[-1]],
            "shipped": self.sizes,
            "docker": self.daemon is not None,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="images are kept here")
    parser.add_argument("--small", action="store_true", help="pure-Python images: anywhere, in a minute")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--no-docker", action="store_true", help="leave docker out")
    options = parser.parse_args()
    find_helm()
    compile_modules()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    images = make_images(work, small=options.small)
    document = run_all(work, images, options.rounds, with_docker=not options.no_docker)
    if options.json:
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def run_all(work: Path, images: Images, rounds: int, *, with_docker: bool) -> dict[str, Any]:
    with ExitStack() as stack:
        upstream = stack.enter_context(registry(work / "upstream"))
        daemon = stack.enter_context(docker(work / "docker")) if with_docker else None
        bench = Bench(work, images, upstream, daemon)
        run(*skopeo_copy(bench.source, f"docker://{upstream.host}/{bench.place}"))
        for _ in range(rounds):
            bench.round()
        print(file=sys.stderr)
        return report(bench.rows(), bench.facts())


if __name__ == "__main__":
    main()
