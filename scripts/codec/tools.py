"""Open what real tools wrote with the exact gzip codec, and print a table of it, for docs/codec.md.

    .venv/bin/python -m scripts.codec.tools --work DIR CONTENT

CONTENT is a directory that becomes an image layer and a chart's file. Tools that are not here are named and
left out; dockerd needs root. What is rebuilt is compared with the digests that skopeo reads from the images.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airstore.codec import KeptWholeError, rebuild, record

CRANE = Path(__file__).resolve().parent / "crane"
REGISTRY = "127.0.0.1:5977"


def run(*command: str | Path, **settings: str) -> str:
    """Run a program; its output."""
    environment = {**os.environ, **settings}
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment).stdout


def layers(reference: str) -> list[str]:
    """The digests of an image's layers, as skopeo reads them."""
    raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", reference)
    return [layer["digest"] for layer in json.loads(raw)["layers"]]


def of_layout(layout: Path) -> list[bytes]:
    """The layers of the one image in an OCI layout; their digests are those that skopeo reads."""
    return [(layout / "blobs" / digest.replace(":", "/")).read_bytes() for digest in layers(f"oci:{layout}")]


@contextmanager
def process(*command: str | Path, ready: Callable[[], bool]) -> Iterator[None]:
    """A server, until the block ends."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as server:
        try:
            for _ in range(120):
                if ready():
                    break
                time.sleep(0.5)
            yield
        finally:
            server.terminate()


def docker(work: Path, plain: Path) -> list[bytes]:
    """What Docker Engine pushes."""
    socket, storage = work / "docker.sock", work / "registry"
    configuration = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": REGISTRY},
    }
    (work / "registry.yml").write_text(json.dumps(configuration))
    places = (f"--data-root={work}/docker", f"--exec-root={work}/docker-run", f"--pidfile={work}/docker.pid")
    network = ("--iptables=false", "--bridge=none", "--storage-driver=vfs", f"--host=unix://{socket}")
    client = ("docker", f"--host=unix://{socket}")
    with (
        process("docker-registry", "serve", work / "registry.yml", ready=lambda: True),
        process("dockerd", *places, *network, ready=socket.exists),
    ):
        run(*client, "import", plain, f"{REGISTRY}/real:1")
        run(*client, "push", f"{REGISTRY}/real:1")
        digests = [digest.removeprefix("sha256:") for digest in layers(f"docker://{REGISTRY}/real:1")]
    blobs = storage / "docker/registry/v2/blobs/sha256"
    return [(blobs / digest[:2] / digest / "data").read_bytes() for digest in digests]


def buildah(work: Path, plain: Path) -> list[bytes]:
    """What buildah commits; beside it the same image with a plain layer, for skopeo."""
    program = ("buildah", f"--root={work}/storage", f"--runroot={work}/storage-run", "--storage-driver=vfs")
    container = run(*program, "from", "scratch").strip()
    run(*program, "add", "--quiet", container, plain, "/")
    run(*program, "commit", "--quiet", "--disable-compression", container, f"oci:{work}/plain")
    run(*program, "commit", "--quiet", "--disable-compression=false", container, f"oci:{work}/buildah")
    return of_layout(work / "buildah")


def skopeo(work: Path, _: Path) -> list[bytes]:
    """What skopeo makes of a plain layer."""
    run("skopeo", "copy", "--insecure-policy", f"oci:{work}/plain", f"oci:{work}/skopeo")
    return of_layout(work / "skopeo")


def umoci(work: Path, plain: Path) -> list[bytes]:
    """What umoci inserts."""
    image = f"{work}/umoci:1"
    run("umoci", "init", "--layout", work / "umoci")
    run("umoci", "new", "--image", image)
    run("umoci", "insert", "--rootless", "--image", image, plain, "/content.tar")
    return of_layout(work / "umoci")


def crane(work: Path, plain: Path) -> list[bytes]:
    """What go-containerregistry writes."""
    program = work / "crane-layer"
    subprocess.run(["go", "build", "-o", program, "."], cwd=CRANE, check=True)
    return [subprocess.run([program, plain], check=True, stdout=subprocess.PIPE).stdout]


def chart_packer(helm: str) -> Callable[[Path, Path], list[bytes]]:
    """What a Helm packages."""

    def pack(work: Path, plain: Path) -> list[bytes]:
        chart = work / helm
        (chart / "files").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: real\nversion: 1.0.0\n")
        with plain.open("rb") as source:
            (chart / "files/content").write_bytes(source.read(2 << 20))
        run(helm, "package", chart, "--destination", work / f"{helm}-out", HOME=str(work))
        return [(work / f"{helm}-out/real-1.0.0.tgz").read_bytes()]

    return pack


def library(module: str, level: int) -> Callable[[Path, Path], list[bytes]]:
    """What a library of PyPI writes."""

    def compress(_: Path, plain: Path) -> list[bytes]:
        function = importlib.import_module(module)
        body = plain.read_bytes()
        done = getattr(function, "gzip_compress", None) or function.compress
        return [bytes(done(body, level))]

    return compress


Write = Callable[[Path, Path], list[bytes]]  # the layers that a tool makes of a plain tar, in a directory


def available(tools: Iterable[tuple[str, str, Write]]) -> Iterator[tuple[str, Write]]:
    """Those that are on this machine; the others are named."""
    for name, needed, write in tools:
        if shutil.which(needed) or importlib.util.find_spec(needed.partition(".")[0]):
            yield name, write
        else:
            print(f"| {name} | not measured: {needed} is not here |", flush=True)


TOOLS: list[tuple[str, str, Write]] = [
    ("Docker Engine, push", "dockerd", docker),
    ("buildah, commit", "buildah", buildah),
    ("skopeo, copy", "skopeo", skopeo),
    ("umoci, insert", "umoci", umoci),
    ("go-containerregistry (crane, ko)", "go", crane),
    ("helm 3, package", "helm3", chart_packer("helm3")),
    ("helm 4, package", "helm4", chart_packer("helm4")),
    ("libdeflate, level 6", "deflate", library("deflate", 6)),
    ("zlib-ng, level 6", "zlib_ng.gzip_ng", library("zlib_ng.gzip_ng", 6)),
    ("ISA-L, level 2", "isal.igzip", library("isal.igzip", 2)),
]


def row(name: str, blob: bytes) -> str:
    """A line of the table.

    Raises:
        AssertionError: what comes back is another blob.
    """
    plain, side, back = io.BytesIO(), io.BytesIO(), io.BytesIO()
    try:
        report = record(io.BytesIO(blob), plain, side)
    except KeptWholeError as fault:
        return f"| {name} | kept whole: {fault} | |"
    rebuild(io.BytesIO(plain.getvalue()), io.BytesIO(side.getvalue()), back)
    if hashlib.sha256(back.getvalue()).digest() != hashlib.sha256(blob).digest():
        raise AssertionError(f"{name}: another blob came back")
    return f"| {name} | {report.encoder} | {report.side_size / len(blob):.4%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a directory that does not exist yet")
    parser.add_argument("--only", default="", help="only tools with this in their name")
    parser.add_argument("content", type=Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    plain = options.work / "content.tar"
    with tarfile.open(plain, "w") as archive:
        archive.add(options.content, arcname="content")
    print("| tool | model | side data |\n| --- | --- | ---: |")
    for name, write in available(TOOLS):
        if options.only in name:
            for blob in write(options.work, plain):
                print(row(name, blob), flush=True)


if __name__ == "__main__":
    main()
