"""How fast a layer is pulled from ``airstore registry serve``, beside docker-registry and nginx, in one run.

Usage: .venv/bin/python -m scripts.benchmarks.serving --work DIR [--size MIB] [--rounds N]

Two layers: one of random bytes, and one of text, both in gzip; a site makes them again while it serves them,
where it holds them opened. A round asks each server in turn, by curl into nowhere, so that all meet the same
noise. nginx has the very blobs as files. Nothing fails because of a time.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

from scripts.benchmarks.product import find_helm
from scripts.benchmarks.servers import _await, _free_port, _server, airstore_registry, registry
from scripts.images.fixture_images import LayoutWriter

_MIB = 1 << 20
_NAME = "registry.example.com/bench/app:1"
_PRODUCT = """\
apiVersion: airstore/v1
kind: Product
name: bench
charts: [{name: app, source: ./app}]
releases: [{name: app, namespace: bench, chart: app}]
images: {sources: {"*": "oci:./images"}}
"""
_POD = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: app}}
spec: {{containers: [{{name: app, image: "{_NAME}"}}]}}
"""
_NGINX = """\
daemon off; pid %(base)s/pid; error_log %(base)s/error;
events {}
http { access_log off; sendfile on; client_body_temp_path %(base)s/t1; proxy_temp_path %(base)s/t2;
fastcgi_temp_path %(base)s/t3; uwsgi_temp_path %(base)s/t4; scgi_temp_path %(base)s/t5;
server { listen 127.0.0.1:%(port)d; root %(files)s; } }
"""


def layers(size: int) -> Iterator[bytes]:
    """A layer that cannot be compressed, and one of text."""
    chance = random.Random(1)  # noqa: S311 - for files that never change
    words = [chance.randbytes(4).hex() for _ in range(4096)]
    yield _layer([chance.randbytes(4 * _MIB) for _ in range(size // 4)])
    yield _layer([" ".join(chance.choices(words, k=2_000_000)).encode() for _ in range(size // 8)])


def _layer(files: list[bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for number, data in enumerate(files):
            member = tarfile.TarInfo(f"data/{number}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), 6, mtime=0)


def site_with(base: Path, blobs: list[bytes]) -> Path:
    """A site whose one release has an image of these layers."""
    shutil.rmtree(base, ignore_errors=True)
    (base / "app" / "templates").mkdir(parents=True)
    (base / "app" / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    (base / "app" / "templates" / "pod.yaml").write_text(_POD)
    (base / "airstore.yaml").write_text(_PRODUCT)
    writer = LayoutWriter(base / "images")
    kind = "application/vnd.oci.image"
    config = writer.blob(b'{"architecture":"amd64","os":"linux"}', f"{kind}.config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": config,
        "layers": [writer.blob(blob, f"{kind}.layer.v1.tar+gzip") for blob in blobs],
    }
    writer.name(writer.document(manifest), _NAME)
    writer.finish()
    publisher, site = base / "publisher", base / "site"
    _run("init", publisher, "--product", base / "airstore.yaml")
    _run("-C", publisher, "key", "generate", "release")
    _run("-C", publisher, "release", "create", "--version", "1.0.0")
    _run("-C", publisher, "media", "create", "--to", "1.0.0", "--effort", "none", base / "media")
    _run("init", site, "--site", "bench", "--trust", publisher / "trust" / "root.json")
    _run("-C", site, "media", "import", base / "media")
    return site


def _run(*words: str | Path) -> None:
    done = subprocess.run(["airstore", "-q", *map(str, words)], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


@contextmanager
def nginx(base: Path, blobs: list[bytes]) -> Iterator[str]:
    """The blobs as files, by their digests."""
    files = base / "files"
    files.mkdir(parents=True)
    for blob in blobs:
        (files / sha256(blob).hexdigest()).write_bytes(blob)
    os.chmod(base, 0o755)  # noqa: PTH101, S103 - its workers are nobody's
    port = _free_port()
    (base / "nginx.conf").write_text(_NGINX % {"base": base, "files": files, "port": port})
    with _server(["nginx", "-c", str(base / "nginx.conf")], base / "log"):
        _await(lambda: _found(f"http://127.0.0.1:{port}/{sha256(blobs[0]).hexdigest()}"), base / "log")
        yield f"127.0.0.1:{port}"


def _found(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=5):  # noqa: S310 - ours
            return True
    except OSError:
        return False


def pull(url: str, size: int, clients: int) -> float:
    """Bytes a second of so many that ask at once."""
    command = ["curl", "--silent", "--fail", "--output", "/dev/null", "--write-out", "%{size_download}", url]
    start = time.perf_counter()
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(clients)]
    said = [each.communicate()[0] for each in running]
    took = time.perf_counter() - start
    if any(each.returncode for each in running) or set(said) != {str(size)}:
        sys.exit(f"{url}: not {size} bytes: {said}")
    return clients * size / took


def compare(base: Path, blobs: list[bytes], rounds: int) -> None:
    """Print a row for each layer and number of clients."""
    site = site_with(base / "product", blobs)
    with ExitStack() as stack:
        ours = stack.enter_context(airstore_registry(site))
        theirs = stack.enter_context(registry(base / "docker-registry")).host
        files = stack.enter_context(nginx(base / "nginx", blobs))
        _run("-C", site, "registry", "push", theirs, "--plain-http", theirs)
        print("| layer | clients | airstore MB/s | docker-registry | nginx | of docker-registry | of nginx |")
        for name, blob in zip(("random", "text"), blobs, strict=True):
            digest = sha256(blob).hexdigest()
            path = f"v2/bench/app/blobs/sha256:{digest}"
            urls = [f"http://{ours}/{path}", f"http://{theirs}/{path}", f"http://{files}/{digest}"]
            for clients in (1, 4):
                rates = [[pull(url, len(blob), clients) for url in urls] for _ in range(rounds)]
                middle = [statistics.median(row[at] for row in rates) / 1e6 for at in range(3)]
                shares = [statistics.median(row[0] / row[at] for row in rates) for at in (1, 2)]
                shown = " | ".join([*(f"{each:.0f}" for each in middle), *(f"{each:.2f}" for each in shares)])
                print(f"| {name}, {len(blob) / 1e6:.0f} MB | {clients} | {shown} |", flush=True)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    find_helm()
    base = chosen.work.resolve() / "serving"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    compare(base, list(layers(chosen.size)), chosen.rounds)
    shutil.rmtree(base)


if __name__ == "__main__":
    main()
