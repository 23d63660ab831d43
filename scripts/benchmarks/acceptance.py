"""Acceptance at the benchmark's scale: what comes out is what went in, and an update ships only what changed.

    scripts/bench --work DIR ...; .venv/bin/python -m scripts.benchmarks.acceptance --work DIR

Two releases, full and delta media, a site. skopeo then reads every version back from `airstore registry
serve` and, after `airstore registry push`, from docker-registry; every file that it wrote is hashed and
compared with the source's manifest, config and layers. Each line says what was compared; any difference
ends with code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.benchmarks.images import VERSIONS, Images, make_images
from scripts.benchmarks.product import Sides, find_helm, run, run_json, skopeo_copy
from scripts.benchmarks.servers import airstore_registry, registry

OLD, NEW = VERSIONS
_STALE = 31  # exit code: there is nothing to bring


class Acceptance:
    """One run; counts what differs."""

    def __init__(self, work: Path, images: Images) -> None:
        self.work = work
        self.images = images
        self.sides = Sides(work / "acceptance", images)
        self.faults = 0

    def same(self, what: str, found: object, expected: object) -> None:
        """Compare, say so, and count a difference."""
        good = found == expected
        self.faults += not good
        shown = f"{found}" if good else f"{found}, expected {expected}"
        print(f"{'ok  ' if good else 'BAD '} {what}: {shown}", flush=True)

    def releases(self) -> None:
        """Create both releases, each twice."""
        first = run_json(self.sides.create_release(OLD))
        self.same(f"new blobs of {OLD}", first["new_blobs"], first["blobs"])
        self.twice(OLD)
        self.sides.write_product(NEW)
        second = run_json(self.sides.create_release(NEW))
        new = set(self.blobs_of(NEW)) - set(self.blobs_of(OLD))
        self.same(f"new blobs of {NEW} beside those of {OLD}", second["new_blobs"], len(new))
        changed = set(self.images.blobs(NEW)) - set(self.images.blobs(OLD))
        self.same("image blobs among them are", _short(new & set(self.images.blobs(NEW))), _short(changed))
        self.same("layers among them", len(changed & set(self.images.layers(NEW))), 1)
        self.twice(NEW)

    def twice(self, version: str) -> None:
        again = run_json(self.sides.create_release(version))
        added = (again["new_blobs"], again["new_stored_bytes"], again["commit"])
        self.same(f"{version} created again adds blobs, bytes, commit", added, (0, 0, None))

    def media(self) -> None:
        """Full media, a delta, and none where nothing changed."""
        run_json(self.sides.create_media("full", OLD))
        delta = run_json(self.sides.create_media("delta", NEW, OLD))
        old, new = self.blobs_of(OLD), self.blobs_of(NEW)
        changed = {digest: size for digest, size in new.items() if digest not in old}
        self.same(
            "blobs in the delta",
            (delta["blobs"], delta["shared_blobs"]),
            (len(changed), len(new) - len(changed)),
        )
        limit = sum(changed.values()) + 100_000  # recipes, pack index, history
        self.same(
            f"delta of {delta['media_bytes']} bytes is at most {limit}", delta["media_bytes"] <= limit, True
        )
        again = subprocess.run(self.sides.create_media("nothing", NEW, NEW), capture_output=True, check=False)
        self.same("exit code for a delta to the release it starts from", again.returncode, _STALE)

    def site(self) -> None:
        for name in ("full", "delta"):
            (row,) = run_json(self.sides.import_media(name))
            self.same(f"media {name}", row["state"], "imported")
        with airstore_registry(self.sides.site) as host:
            for version in VERSIONS:
                self.read_back(f"airstore registry serve, {version}", host, version)
        with registry(self.work / "target") as target:
            for version in VERSIONS:
                run(*self.sides.push(version, target.host))
                self.read_back(f"docker-registry after push, {version}", target.host, version)
            for version in VERSIONS:
                again = run_json(self.sides.push(version, target.host))
                self.same(f"{version} pushed again uploads", again["upload_blobs"], 0)

    def read_back(self, what: str, host: str, version: str) -> None:
        """skopeo copies an image to a directory; every file there is compared with the source."""
        target = self.work / "read-back"
        shutil.rmtree(target, ignore_errors=True)
        run(*skopeo_copy(f"docker://{host}/{self.sides.place(version)}", f"dir:{target}"))
        found = {_digest(path): path.stat().st_size for path in target.iterdir() if path.name != "version"}
        root = self.images.root(version)
        document = self.images.document(root)
        expected = {root: self.images.path(root).stat().st_size}
        expected |= {blob["digest"]: blob["size"] for blob in (document["config"], *document["layers"])}
        self.same(f"{what}: manifest", _digest(target / "manifest.json"), root)
        self.same(f"{what}: config", document["config"]["digest"] in found, True)
        for layer in document["layers"]:
            self.same(
                f"{what}: layer {layer['digest'][7:19]}, bytes", found.get(layer["digest"]), layer["size"]
            )
        self.same(f"{what}: all {len(expected)} files are the source's", found == expected, True)
        shutil.rmtree(target)

    def blobs_of(self, version: str) -> dict[str, int]:
        """All blobs of a release, charts included, from its signed release.json."""
        history = self.sides.publisher / "history.git"
        document: dict[str, Any] = json.loads(
            run("git", "--git-dir", history, "show", f"{version}:release.json")
        )
        artifacts = [*document["images"], *document["charts"]]
        return {blob["digest"]: blob["size"] for artifact in artifacts for blob in artifact["blobs"]}


def _short(digests: Iterable[str]) -> str:
    return " ".join(sorted(digest[7:19] for digest in digests))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="the benchmark's")
    parser.add_argument("--small", action="store_true", help="the benchmark's small images")
    options = parser.parse_args()
    find_helm()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    acceptance = Acceptance(work, make_images(work, small=options.small))
    acceptance.sides.begin(OLD)
    acceptance.releases()
    acceptance.media()
    acceptance.site()
    shutil.rmtree(acceptance.sides.base)
    if acceptance.faults:
        sys.exit(f"{acceptance.faults} differences")
    print("everything is as it was at the source")


if __name__ == "__main__":
    main()
