"""One image's way to the other side beside skopeo's: time, and requests at a registry. One run, in turns.

    scripts/bench beside --work DIR [--layout DIR NAME] [--rounds N] [--small]

Each round, for layers by gzip and for plain ones: the image out of a docker-registry (`release create
--media`, with `--effort fast`; `skopeo copy docker>oci`) and into a new one (`media import
--push`; `skopeo copy oci>docker`), then an image of which nothing but a label changed. Requests are those
which a registry has in its access log for the image, not for the chart that airstore brings along.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from airstore.core.image.oci import OCI_CONFIG, OCI_MANIFEST
from scripts.benchmarks.images import VERSIONS, Images, make_images
from scripts.benchmarks.process import Measured, measure
from scripts.benchmarks.product import Sides, compile_modules, find_helm, run, skopeo_copy, tree_size
from scripts.benchmarks.servers import Registry, registry
from scripts.images.fixture_images import LayoutWriter

OLD, NEW = VERSIONS
_PICKS: tuple[Callable[[Measured], float], ...] = (
    lambda run: run.wall,
    lambda run: run.cpu,
    lambda run: run.cpu + run.servers,
)
_KINDS: dict[str, Callable[[bytes, str], tuple[bytes, str]]] = {
    "gzip": lambda data, media_type: (data, media_type),
    "plain": lambda data, _media_type: (gzip.decompress(data), "application/vnd.oci.image.layer.v1.tar"),
}


def labelled(work: Path, source: Images, kind: str) -> Images:
    """An image and the same with another label, in a layout of their own."""
    made = Images(work / f"beside-{kind}", source.repository)
    if made.layout.exists():
        return made
    building = made.layout.with_suffix(".building")
    shutil.rmtree(building, ignore_errors=True)
    writer = LayoutWriter(building)
    manifest = {**source.document(source.root(OLD)), "mediaType": OCI_MANIFEST}
    found = [(source.path(layer["digest"]).read_bytes(), layer["mediaType"]) for layer in manifest["layers"]]
    layers = [writer.blob(*_KINDS[kind](*layer)) for layer in found]
    config = source.document(manifest["config"]["digest"])
    for version in VERSIONS:
        config.setdefault("config", {})["Labels"] = {"org.opencontainers.image.version": version}
        configured = writer.blob(json.dumps(config).encode(), OCI_CONFIG)
        named = writer.document({**manifest, "config": configured, "layers": layers})
        writer.name(named, source.reference(version))
    writer.finish()
    building.rename(made.layout)
    return made


class Beside:
    """One kind of layers; each method measures both ways of one step, a round at a time."""

    def __init__(self, work: Path, kind: str, images: Images) -> None:
        self._work, self._kind, self._images = work, kind, images
        self._sides = Sides(work / f"sides-{kind}", images)
        self._repository = images.repository.partition("/")[2]
        self.runs: defaultdict[str, list[Measured]] = defaultdict(list)
        self.counts: dict[str, int] = {}
        self.label_bytes = 0

    def round(self) -> None:
        """Publish, take in, push; then the label."""
        sides = self._sides
        sides.begin(OLD)
        with registry(self._work / "upstream") as upstream:
            run(*skopeo_copy(self._oci(OLD), f"docker://{upstream.host}/{sides.place(OLD)}"))
            self._publish(upstream)
        sides.write_product(NEW)
        run(*sides.create_release(NEW))
        run(*sides.create_media("label", NEW, OLD))
        self.label_bytes = tree_size(sides.media("label"))
        with (
            registry(self._work / "ours", noted=True) as ours,
            registry(self._work / "skopeos", noted=True) as theirs,
        ):
            self._take_in(ours, theirs, OLD, "fast", "site full")
            self._take_in(ours, theirs, NEW, "label", "site label")

    def _publish(self, upstream: Registry) -> None:
        sides, target = self._sides, self._work / "copied"
        shutil.rmtree(target, ignore_errors=True)
        place = f"*=docker://{upstream.host}"
        create: list[str | Path] = [
            "airstore",
            "-C",
            sides.publisher,
            "release",
            "create",
            "--version",
            OLD,
            "--effort",
            "fast",
            "--media",
            sides.media("fast"),
            "-o",
            "json",
        ]
        create += ["--image-source", place, "--plain-http", upstream.host]
        self._keep("publish full", measure(create, servers=[upstream.pid]))
        copied = skopeo_copy(f"docker://{upstream.host}/{sides.place(OLD)}", f"oci:{target}:x")
        self._keep("publish full, skopeo", measure(copied, servers=[upstream.pid]))

    def _take_in(self, ours: Registry, theirs: Registry, version: str, media: str, label: str) -> None:
        sides, before = self._sides, {each: each.requests(self._repository) for each in (ours, theirs)}
        self._keep(label, measure(sides.import_and_push(media, ours.host), servers=[ours.pid]))
        copied = skopeo_copy(self._oci(version), f"docker://{theirs.host}/{sides.place(version)}")
        self._keep(f"{label}, skopeo", measure(copied, servers=[theirs.pid]))
        for side, name in ((ours, label), (theirs, f"{label}, skopeo")):
            self.counts[name] = side.requests(self._repository) - before[side]

    def _oci(self, version: str) -> str:
        return f"oci:{self._images.layout}:{self._images.reference(version)}"

    def _keep(self, label: str, *steps: Measured) -> None:
        wall, cpu = sum(each.wall for each in steps), sum(each.cpu for each in steps)
        servers, peak = sum(each.servers for each in steps), max(each.peak for each in steps)
        self.runs[label].append(Measured(wall, cpu, servers, peak, 0, ""))

    def rows(self) -> list[str]:
        """Lines of the table: medians, and ratios formed within a round."""
        return [self._row(label) for label in self.runs if not label.endswith("skopeo")]

    def _row(self, label: str) -> str:
        ours, theirs = self.runs[label], self.runs[f"{label}, skopeo"]
        cells = [self._kind, label]
        for pick in _PICKS:
            pairs = [(pick(one), pick(other)) for one, other in zip(ours, theirs, strict=True)]
            one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            cells.append(f"{one:.2f} / {other:.2f} = {ratio:.1f}")
        known = label in self.counts
        cells.append(f"{self.counts[label]} / {self.counts[label + ', skopeo']}" if known else "")
        return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="images are kept here")
    parser.add_argument("--layout", nargs=2, metavar=("DIR", "NAME"), help="take NAME:1.0.0 of this layout")
    parser.add_argument("--small", action="store_true", help="pure-Python images")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions (default: 3)")
    options = parser.parse_args()
    find_helm()
    compile_modules()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    given = options.layout
    source = Images(Path(given[0]), given[1]) if given else make_images(work, small=options.small)
    sides = [Beside(work, kind, labelled(work, source, kind)) for kind in _KINDS]
    for _ in range(options.rounds):
        for side in sides:
            side.round()
    print(
        "| layers | step | wall s | CPU s | CPU s with the registry's | requests |\n"
        "| --- | --- | ---: | ---: | ---: | ---: |"
    )
    for side in sides:
        print("\n".join(side.rows()))
    print(
        "\nmedia in which only a label changed:", ", ".join(f"{side.label_bytes:,} bytes" for side in sides)
    )


if __name__ == "__main__":
    main()
