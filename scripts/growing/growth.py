"""What commands cost beside a long history: stores of few and of many releases, A B A B in one run.

The first release is made by the command line; the others continue it in this process, signed as
`release create` signs. Nothing here fails because of a time. See docs/benchmarks/ for figures.
"""

from __future__ import annotations

import argparse
import gzip
import io
import shutil
import statistics
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from airstore.core.durable import LocalDisk
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from airstore.core.model.release import Release
from airstore.history.repository import History
from airstore.ops.stores.verify import ENVELOPE_FILE, RELEASE_FILE
from airstore.trust import envelope
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.statement import RELEASE, STATEMENT_TYPE, statement
from scripts.benchmarks.process import measure
from scripts.benchmarks.product import find_helm, run
from scripts.images.fixture_images import LayoutWriter

IMAGE = "registry.example.com/growth/app:1"
CHANGED = "charts/app/values.yaml"
_PRODUCT = """\
apiVersion: airstore/v1
kind: Product
name: growth
charts:
  - {name: app, source: ./app}
images:
  sources: {"*": "oci:./images"}
releases:
  - {name: app, namespace: apps, chart: app}
"""
_CHART = "apiVersion: v2\nname: app\nversion: 1.0.0\n"
_POD = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: app}}
spec: {{containers: [{{name: app, image: "{IMAGE}"}}]}}
"""


class _Quick(LocalDisk):
    """Syncs nothing: thousands of objects are written, and none of them is anybody's."""

    def sync(self, file: BinaryIO) -> None:
        file.flush()


def main() -> None:
    """Make the stores, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10, help="releases of the short history")
    parser.add_argument("--many", type=int, default=1000, help="releases of the long one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="keep the stores here")
    arguments = parser.parse_args()
    find_helm()
    with tempfile.TemporaryDirectory(prefix="airstore-growth-") as temporary:
        sides = [
            Side(_make((arguments.work or Path(temporary)) / str(count), count), f"1.0.{count}")
            for count in (arguments.few, arguments.many)
        ]
        _print(_measured(sides, arguments.rounds), arguments.few, arguments.many)


def _make(base: Path, count: int) -> Path:
    """A publisher of ``count`` releases, unless it is there already."""
    if (base / "store" / "made").exists():
        return base
    shutil.rmtree(base, ignore_errors=True)
    write_product(base)
    _write_image(base / "images")
    run("airstore", "init", base / "store", "--product", base / "airstore.yaml")
    run("airstore", "-C", base / "store", "key", "generate", "release")
    run("airstore", "-C", base / "store", "release", "create", "--version", "1.0.1")
    start = time.perf_counter()
    grow(base / "store", count)
    print(f"{count} releases made in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    (base / "store" / "made").touch()
    return base


def write_product(base: Path) -> None:
    """A product of one chart with one image, and the chart."""
    (base / "app" / "templates").mkdir(parents=True)
    (base / "app" / "Chart.yaml").write_text(_CHART)
    (base / "app" / "values.yaml").write_text("n: 1\n")
    (base / "app" / "templates" / "pod.yaml").write_text(_POD)
    (base / "airstore.yaml").write_text(_PRODUCT)


def _write_image(directory: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("hello"))
    writer = LayoutWriter(directory)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": writer.blob(b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG),
        "layers": [writer.blob(gzip.compress(buffer.getvalue(), mtime=0), OCI_LAYER)],
    }
    writer.name(writer.document(manifest), IMAGE)
    writer.finish()


def grow(store: Path, count: int) -> None:
    """Continue a publisher's one release 1.0.1 up to ``count``; each changes a value of the chart."""
    history = History(store / "history.git", disk=_Quick(), noting=True)
    key = PrivateKey.load(store / "keys" / "release")
    files = history.files(str(history.tip))
    release = Release.parse(files[RELEASE_FILE])
    for number in range(2, count + 1):
        files[CHANGED] = f"n: {number}\n".encode()
        release = replace(
            release,
            version=f"1.0.{number}",
            sequence=number,
            previous=Digest.of(files[RELEASE_FILE]),
            files={**release.files, CHANGED: Digest.of(files[CHANGED])},
        )
        _commit(history, release, files, key)


def _commit(history: History, release: Release, files: dict[str, bytes], key: PrivateKey) -> None:
    files[RELEASE_FILE] = release.to_bytes()
    about = {"product": release.product, "version": release.version}
    signed = statement(RELEASE, {RELEASE_FILE: Digest.of(files[RELEASE_FILE])}, about)
    files[ENVELOPE_FILE] = envelope.sign(signed, STATEMENT_TYPE, [key])
    history.commit_release(
        files,
        release.version,
        f"{release.product} {release.version}",
        ("growth", "growth@example.com"),
        1767225600 + release.sequence,
        lambda payload: sshsig.sign(key, payload, "git"),
    )


@dataclass
class Side:
    """A publisher with releases, a site that follows it, and the newest version there is."""

    base: Path
    newest: str

    def publisher(self, *words: str | Path) -> list[str | Path]:
        return ["airstore", "-C", self.base / "store", *words]

    def site(self, *words: str | Path) -> list[str | Path]:
        return ["airstore", "-C", self.base / "site", *words]

    def first(self) -> Iterator[tuple[str, list[str | Path]]]:
        """What is slow once; afterwards the site holds what the publisher has."""
        yield "release list, the first time", self.publisher("release", "list", "-o", "json")
        media, root = self.base / f"media-{self.newest}", self.base / "store" / "trust" / "root.json"
        shutil.rmtree(self.base / "site", ignore_errors=True)
        shutil.rmtree(media, ignore_errors=True)
        run("airstore", "init", self.base / "site", "--site", "a", "--trust", root)
        yield "media create, full", self.publisher("media", "create", "--to", self.newest, media)
        yield "media import, full", self.site("media", "import", media)

    def round(self, turn: str) -> Iterator[tuple[str, list[str | Path]]]:
        """One more release, and listings."""
        base, self.newest = self.newest, f"2.{turn}"
        media = self.base / f"media-{turn}"
        (self.base / "app" / "values.yaml").write_text(f"n: {turn}\n")
        yield "release list", self.publisher("release", "list", "-o", "json")
        yield "log", self.publisher("log", "-o", "json")
        yield "release show", self.publisher("release", "show", "1.0.2", "-o", "json")
        yield "release verify, of one", self.publisher("release", "verify", "1.0.2", "-o", "json")
        yield "release create", self.publisher("release", "create", "--version", self.newest, "-o", "json")
        yield "release list after it", self.publisher("release", "list", "-o", "json")
        words = "media", "create", "--to", self.newest, "--from", base, media
        yield "media create, delta", self.publisher(*words)
        yield "media import, delta", self.site("media", "import", media)
        yield "release list at the site", self.site("release", "list", "-o", "json")
        yield "receipt", self.site("receipt")


def _measured(sides: list[Side], rounds: int) -> dict[str, list[list[float]]]:
    """CPU seconds by command, of each side in each round."""
    found: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in sides])

    def run_all(number: int, commands: Iterator[tuple[str, list[str | Path]]]) -> None:
        for label, command in commands:
            found[label][number].append(measure(command).cpu)
            print(".", end="", file=sys.stderr, flush=True)

    for number, side in enumerate(sides):
        run_all(number, side.first())
    for _round in range(rounds):
        turn = str(time.time_ns())
        for number, side in enumerate(sides):
            run_all(number, side.round(turn))
    print(file=sys.stderr)
    return found


def _print(found: dict[str, list[list[float]]], few: int, many: int) -> None:
    print(f"| command, CPU seconds | {few} releases | {many} releases | ratio |\n| --- | --- | --- | --- |")
    for label, (small, large) in found.items():
        ratio = statistics.median(b / a for a, b in zip(small, large, strict=True))
        low, high = statistics.median(small), statistics.median(large)
        print(f"| {label} | {low:.2f} | {high:.2f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
