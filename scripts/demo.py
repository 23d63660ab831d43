"""The whole road once, on embedded defaults: two releases, full and delta media, a site, digests compared.

Every step is an `airstore` command that is printed before it runs; nothing here reaches into the package.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))  # behind the installed airstore, where there is one

from scripts.images import fixture_images

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
DOCUMENTS = ("manifest", "index")
# One fixed date per release: the demo makes the same commits every time.
DATES = {"1.0.0": "1767225600", "1.1.0": "1769904000"}


class Demo:
    """A directory with both sides in it, and the environment of its commands."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.publisher, self.site = base / "publisher", base / "site"
        self.root = self.publisher / "trust" / "root.json"
        helm = next((tool for tool in ("helm", "helm4", "helm3") if shutil.which(tool)), "helm")
        self.environment = {**os.environ, "AIRSTORE_HELM": shutil.which(helm) or ""}

    def airstore(self, *arguments: str | Path, when: str = "1.1.0", show: bool = True) -> str:
        """Print and run one command in the demo's directory, at a fixed date or today; returns its output."""
        words = ["airstore", *(self.shorten(str(word)) for word in arguments)]
        print(f"\n$ {' '.join(words)}", flush=True)
        environment = self.environment | ({"SOURCE_DATE_EPOCH": DATES[when]} if when else {})
        done = subprocess.run(
            words, capture_output=True, text=True, env=environment, cwd=self.base, check=False
        )
        print(done.stderr + (done.stdout if show else ""), end="", flush=True)
        if done.returncode:
            sys.exit(done.returncode)
        return done.stdout

    def json(self, *arguments: str | Path) -> Any:
        """Run a listing quietly and parse it."""
        words = ["airstore", *map(str, arguments), "-o", "json"]
        done = subprocess.run(words, capture_output=True, text=True, env=self.environment, check=True)
        return json.loads(done.stdout)["items"]

    def shorten(self, text: str) -> str:
        """Paths relative to the demo's directory."""
        return text.replace(f"{self.base}/", "")

    @contextmanager
    def registry(self) -> Iterator[str]:
        """The site's embedded registry; yields its URL."""
        words = ["airstore", "-q", "-C", str(self.site), "registry", "serve", "--listen", "127.0.0.1:0"]
        print(f"\n$ {self.shorten(' '.join(words))} &", flush=True)
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=self.environment)
        try:
            yield server.stdout.readline().strip() if server.stdout else ""
        finally:
            server.terminate()
            server.wait(timeout=30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this new directory and keep it")
    parser.add_argument(
        "--size", type=int, default=6, metavar="MB", help="plain size of the layer that changes"
    )
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True)
        run(Demo(options.keep.resolve()), options.size)
        return
    with tempfile.TemporaryDirectory(prefix="airstore-demo-") as directory:
        run(Demo(Path(directory)), options.size)


def run(demo: Demo, size: int) -> None:
    title("Publisher: release 1.0.0")
    product = make_product(demo.base / "product", "1.0.0", size)
    demo.airstore("init", demo.publisher, "--product", product)
    demo.airstore("-C", demo.publisher, "key", "generate", "release")
    demo.airstore("-C", demo.publisher, "images", "find")
    demo.airstore("-C", demo.publisher, "release", "create", "--version", "1.0.0", when="1.0.0")
    demo.airstore("-C", demo.publisher, "media", "create", "--to", "1.0.0", demo.base / "media-full")

    title("Publisher: release 1.1.0 changes one layer of one image and one tag")
    make_product(demo.base / "product", "1.1.0", size)
    demo.airstore("-C", demo.publisher, "release", "create", "--version", "1.1.0")
    demo.airstore("-C", demo.publisher, "release", "diff", "1.0.0", "1.1.0")
    delta = demo.base / "media-delta"
    demo.airstore("-C", demo.publisher, "media", "create", "--to", "1.1.0", "--from", "1.0.0", delta)
    demo.airstore("-C", demo.publisher, "media", "create", "--to", "1.1.0", demo.base / "media-full-1.1")

    title("Site: trusts root.json, imports full media, then the delta")
    demo.airstore("init", demo.site, "--site", "acme", "--trust", demo.root)
    demo.airstore("-C", demo.site, "media", "verify", demo.base / "media-full")
    demo.airstore("-C", demo.site, "media", "import", demo.base / "media-full")
    demo.airstore("-C", demo.site, "receipt", demo.base / "receipt.json")
    demo.airstore("-C", demo.site, "media", "import", delta)
    write_site_file(demo.site / "site.yaml")
    demo.airstore("-C", demo.site, "plan", "--compare", "1.0.0")
    demo.airstore("-C", demo.site, "check")

    title("Site: serve, pull everything back by digest, compare with the publisher's")
    with demo.registry() as url:
        count, total = pull_back(demo, url)
    print(
        f"{count} blobs, {total / 1e6:.1f} MB pulled by digest, shared ones from every repository: "
        "each is what the publisher released"
    )

    title("Pages for those who decide and those who carry")
    pages(demo, delta)

    title("The audit log, by airstore and by stock git")
    demo.airstore("-C", demo.site, "log")
    git_log(demo.site / "history.git")

    title("Sizes side by side")
    sizes(demo)


def pages(demo: Demo, delta: Path) -> None:
    """What needs no airstore to be read; scripts/pictures makes the documents' pictures of it."""
    out = demo.base / "pages"
    demo.airstore("-C", demo.publisher, "release", "report", "1.1.0", "--html", out / "report.html")
    demo.airstore("-C", demo.publisher, "media", "label", delta, "--html", out / "label.html")
    demo.airstore("-C", demo.publisher, "site", "add", "acme", demo.site / "keys" / "site.pub")
    receipt = demo.base / "receipt.json"
    demo.airstore("-C", demo.publisher, "fleet", receipt, "--html", out / "fleet.html", when="")
    page = out / "plan.html"
    demo.airstore("-C", demo.site, "plan", "--compare", "1.0.0", "--html", page, show=False)


def make_product(directory: Path, version: str, size: int) -> Path:
    """The fixture product and an OCI layout with its images; returns the product file."""
    shutil.copytree(FIXTURES / "shop", directory, dirs_exist_ok=True)
    if version != "1.0.0":
        shutil.copytree(FIXTURES / f"shop-{version.removesuffix('.0')}", directory, dirs_exist_ok=True)
    layout = directory / "build" / "images"
    shutil.rmtree(layout, ignore_errors=True)
    fixture_images.build(layout, fixture_images.read_list(directory / "images.txt"), size=size)
    return directory / "airstore.yaml"


def write_site_file(path: Path) -> None:
    path.write_text(
        "apiVersion: airstore/v1\nkind: Site\nvars: {hostname: shop.acme.example, storageClass: fast}\n"
        "registry: {host: registry.acme.example}\n"
    )


def pull_back(demo: Demo, url: str) -> tuple[int, int]:
    """Fetch every blob of the release by digest over HTTP and hash it; exits when one differs."""
    count = total = 0
    publisher = json.loads(git_show(demo.publisher / "history.git", "1.1.0:release.json"))
    for artifact in [*publisher["images"], *publisher["charts"]]:
        for blob in artifact["blobs"]:
            document = any(word in blob["mediaType"] for word in DOCUMENTS)
            kind = "manifests" if document else "blobs"
            address = f"{url}/v2/{repository(artifact)}/{kind}/{blob['digest']}"
            with urllib.request.urlopen(address) as response:  # noqa: S310 - our own loopback server
                digest = hashlib.file_digest(response, "sha256").hexdigest()
            if f"sha256:{digest}" != blob["digest"]:
                sys.exit(f"{address} has another digest: sha256:{digest}")
            count, total = count + 1, total + blob["size"]
    return count, total


def repository(artifact: dict[str, Any]) -> str:
    if "reference" not in artifact:
        return f"charts/{artifact['name']}"
    reference: str = artifact["reference"]
    return reference.partition("/")[2].partition("@")[0].rpartition(":")[0]


def git_log(history: Path) -> None:
    words = ["git", "-C", str(history), "log", "--show-signature", "--format=%h %an: %s", "main"]
    print("\n$ git -C site/history.git log --show-signature --format='%h %an: %s' main", flush=True)
    subprocess.run(words, check=True)


def git_show(history: Path, what: str) -> bytes:
    return subprocess.run(
        ["git", "--git-dir", str(history), "show", what], capture_output=True, check=True
    ).stdout


def sizes(demo: Demo) -> None:
    releases = {row["version"]: row["size"] for row in demo.json("-C", demo.publisher, "release", "list")}
    rows = [
        ("all blobs of release 1.0.0, as a registry counts them", releases["1.0.0"]),
        ("full media for 1.0.0", tree_size(demo.base / "media-full")),
        ("all blobs of release 1.1.0, as a registry counts them", releases["1.1.0"]),
        ("full media for 1.1.0", tree_size(demo.base / "media-full-1.1")),
        ("delta media from 1.0.0 to 1.1.0", tree_size(demo.base / "media-delta")),
    ]
    full = rows[3][1]
    for label, size in rows:
        bar = "#" * max(1, round(40 * size / max(size for _, size in rows)))
        print(f"{label:<56} {size / 1e6:8.2f} MB  {bar}")
    print(f"\nthe update is {100 * rows[4][1] / full:.1f} % of full media")


def tree_size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def title(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


if __name__ == "__main__":
    main()
