"""Peak memory of a delta between two directories, at both sides, each in a process of its own.

``python -m scripts.benchmarks.memory OLD NEW [MEMORY...]``: the directories become one gzip layer each;
MEMORY is what the publisher may take, in MiB (2048). One line for each: the delta's bytes, both sides' peaks.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.progress import QUIET
from airstore.media.delta.effort import Effort
from airstore.media.delta.reader import Delta
from airstore.media.delta.writer import Task, prepare
from airstore.store.blobs import BlobStore, Staging


def main(old: str, new: str, *sizes: str) -> None:
    """Measure one pair."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for directory, layer in ((old, "old"), (new, "new")):
            with gzip.open(work / layer, "wb", compresslevel=1) as file:
                tar = tarfile.open(fileobj=file, mode="w")  # noqa: SIM115 - closed before the gzip is
                tar.add(directory, arcname=".")
                tar.close()
        for store, layers in (("publisher", ("old", "new")), ("site", ("old",))):
            with BlobStore.create(work / store) as blobs, blobs.writer() as writer:
                for layer in layers:
                    data = (work / layer).read_bytes()
                    writer.put(_described(work / layer), lambda data=data: [data])  # type: ignore[misc]
        for size in sizes or ("2048",):
            publisher, site = (_peak(side, name, size) for side in ("publish", "take_in"))
            delta = (work / "delta").stat().st_size
            print(f"--memory {size}M: delta {delta}, publisher {publisher} MiB, site {site} MiB", flush=True)


def publish(work: Path, size: str) -> None:
    """Write the delta."""
    (work / "delta").unlink(missing_ok=True)
    with BlobStore(work / "publisher") as store:
        task = Task([_described(work / "new").digest], [_described(work / "old").digest], {})
        prepare(store, task).write(work / "delta", Effort.NORMAL, QUIET, int(size) * MIB)


def take_in(work: Path, _size: str) -> None:
    """Make and verify the new layer, and do not keep it."""
    with BlobStore(work / "site") as store, Staging(store, [], rehearse=True) as staging:
        delta = Delta(work / "delta", staging.reader)
        with staging.writer() as writer:
            delta.restore(writer, delta.blobs, work, lambda _count: None)
        staging.verify(delta.blobs, lambda _count: None)


def _described(path: Path) -> Descriptor:
    return Descriptor("", Digest.of_file(path), path.stat().st_size)


def _peak(side: str, work: str, size: str) -> int:
    command = [sys.executable, "-m", "scripts.benchmarks.memory", side, work, size]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout) // 1024


def _own_peak() -> str:
    """KiB of resident memory at most, of this program alone; getrusage would count what it was before."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    if sys.argv[1] in {"publish", "take_in"}:
        {"publish": publish, "take_in": take_in}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
        print(_own_peak())
    else:
        main(*sys.argv[1:])
