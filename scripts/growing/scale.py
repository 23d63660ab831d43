"""What a small change costs beside a large store: objects by the thousand or the million, and many releases.

    python -m scripts.growing.scale --work DIR [--objects 10000,100000] [--releases 1000] [--out DIR]

Each store is made by the commands themselves: an image of plain layers, one object for each of their
files, as many releases of it as asked for (scripts/growing/growth.py), and a site that imports them. Then
come releases of a small image, each with another layer and another value of the chart: the change stays the
same, and the store does not. With --whole the image keeps its large layers. CPU seconds, the sizes in turns.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import sys
import tarfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from airstore.core.image.oci import OCI_CONFIG, OCI_MANIFEST
from scripts.benchmarks.plots import lines
from scripts.benchmarks.process import measure
from scripts.benchmarks.product import find_helm, run
from scripts.growing.growth import IMAGE, grow, write_product
from scripts.images.fixture_images import LayoutWriter

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_FILES = 20_000  # in a layer


def write_image(directory: Path, objects: int, turn: str) -> None:
    """An image of so many small files, each another, and one layer that is another in each turn."""
    writer = LayoutWriter(directory)
    counts = [min(_FILES, objects - start) for start in range(0, objects, _FILES)]
    names = [*((f"{number}", count) for number, count in enumerate(counts)), (f"turn-{turn}", 10)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": writer.blob(b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG),
        "layers": [writer.blob(_layer(name, count), _LAYER) for name, count in names],
    }
    writer.name(writer.document(manifest), IMAGE)
    writer.finish()


def _layer(name: str, files: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(files):
            data = f"{name} {number}\n".encode() * 4
            entry = tarfile.TarInfo(f"srv/{name}/{number // 100}/{number}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


class Scale:
    """A publisher and a site of one size."""

    def __init__(self, base: Path, objects: int, releases: int, *, whole: bool) -> None:
        self._base, self._objects, self._releases, self._whole = base, objects, releases, whole
        self._newest = f"1.0.{releases}"

    def make(self) -> None:
        """Both stores, unless they are there."""
        base = self._base
        if (base / "made").exists():
            self._newest = (base / "made").read_text()
            return
        shutil.rmtree(base, ignore_errors=True)
        write_product(base)
        write_image(base / "images", self._objects, "0")
        run("airstore", "init", base / "store", "--product", base / "airstore.yaml")
        run("airstore", "-C", base / "store", "key", "generate", "release")
        run("airstore", "-C", base / "store", "release", "create", "--version", "1.0.1")
        grow(base / "store", self._releases)
        run("airstore", "init", base / "site", "--site", "a", "--trust", base / "store/trust/root.json")
        words = "media", "create", "--effort", "none", "--to", self._newest
        run("airstore", "-C", base / "store", *words, base / "full")
        run("airstore", "-C", base / "site", "media", "import", base / "full")
        shutil.rmtree(base / "full")
        (base / "made").write_text(self._newest)
        print(f"{self._objects} objects: made", file=sys.stderr, flush=True)

    def round(self, turn: str) -> Iterator[tuple[str, list[str | Path]]]:
        """Commands for one small change."""
        base, since, self._newest = self._base, self._newest, f"{2 + self._whole}.0.{turn}"
        publisher: list[str | Path] = ["airstore", "-C", base / "store"]
        site: list[str | Path] = ["airstore", "-C", base / "site"]
        media = base / f"media-{turn}"
        shutil.rmtree(base / "images")
        write_image(base / "images", self._objects if self._whole else 0, turn)
        (base / "app/values.yaml").write_text(f"n: {turn}\n")
        yield "release create", [*publisher, "release", "create", "--version", self._newest]
        yield "media create", [*publisher, "media", "create", "--to", self._newest, "--from", since, media]
        yield "media import", [*site, "media", "import", media]
        (base / "made").write_text(self._newest)
        shutil.rmtree(media)
        yield "check --quick, publisher", [*publisher, "check", "--quick"]
        yield "check --quick, site", [*site, "check", "--quick"]


def main() -> None:
    """Make the stores, measure, print the table, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="the stores are kept here")
    parser.add_argument("--objects", default="10000,100000,1000000", help="sizes, comma-separated")
    parser.add_argument("--releases", type=int, default=1000)
    parser.add_argument("--whole", action="store_true", help="every release has all objects")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the plot there")
    options = parser.parse_args()
    find_helm()
    sizes = [int(text) for text in options.objects.split(",")]
    sides = {
        size: Scale(options.work.resolve() / str(size), size, options.releases, whole=options.whole)
        for size in sizes
    }
    for side in sides.values():
        side.make()
        for _label, command in side.round(f"0-{time.time_ns()}"):  # the large image goes
            run(*command)
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for turn in range(options.rounds):
        for size, side in sides.items():
            for label, command in side.round(f"{turn + 1}-{time.time_ns()}"):
                found[label][size].append(measure(command).cpu)
    print("| CPU seconds |", " | ".join(f"{size:,} objects" for size in sizes), "|")
    print("| --- |", " | ".join("---:" for _ in sizes), "|")
    medians = {label: [statistics.median(runs[size]) for size in sizes] for label, runs in found.items()}
    for label, values in medians.items():
        print(f"| {label} |", " | ".join(f"{value:.2f}" for value in values), "|")
    if options.out:
        title = f"CPU seconds for a small change, by objects in the store ({options.releases:,} releases)"
        name = "scale-whole.svg" if options.whole else "scale.svg"
        (options.out / name).write_text(lines(title, sizes, medians))


if __name__ == "__main__":
    main()
