"""How a publisher's store grows over releases of one application image: gzip layers beside plain tars.

Each release is a fresh `pip install --target` of the next version, so that every mtime and every header of a
.pyc is new, as in a rebuilt image. The goal is a ratio of at most 1.3 at the end.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import subprocess
import sys
from pathlib import Path

from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.store.blobs import BlobStore, statistics

_APPLICATION = "django==4.2.{}"
_RELEASES = range(1, 11)
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="layers are kept here")
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    layers = [layer(work, release) for release in _RELEASES]
    shutil.rmtree(work / "stores", ignore_errors=True)
    print("| release | its layer, MB | plain tars, MB | gzip layers, MB | ratio | layers whole, MB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    whole = 0
    with BlobStore.create(work / "stores/plain") as plain, BlobStore.create(work / "stores/gzip") as opened:
        for release, path in zip(_RELEASES, layers, strict=True):
            put(opened, path.read_bytes())
            put(plain, gzip.decompress(path.read_bytes()))
            whole += path.stat().st_size
            sizes = [path.stat().st_size, statistics(plain).stored_bytes, statistics(opened).stored_bytes]
            row = [*(f"{size / 1e6:.2f}" for size in sizes), f"{sizes[2] / sizes[1]:.2f}"]
            print("|", release, "|", " | ".join([*row, f"{whole / 1e6:.2f}"]), "|", flush=True)


def layer(work: Path, release: int) -> Path:
    """The layer of a release, made by tar and gzip if it is not there yet."""
    path, root = work / f"{release}.tar.gz", work / "root"
    if not path.exists():
        shutil.rmtree(root, ignore_errors=True)
        wanted = _APPLICATION.format(release)
        run(sys.executable, "-m", "pip", "install", "--quiet", "--target", root / "opt/app", wanted)
        run("tar", "-C", root, "--sort=name", "-czf", path.with_suffix(".new"), ".")
        path.with_suffix(".new").rename(path)
    return path


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def put(store: BlobStore, data: bytes) -> None:
    blob = Descriptor(_LAYER, Digest.of(data), len(data))
    with store.writer() as writer:
        writer.put(blob, lambda: iter([data]))


if __name__ == "__main__":
    main()
