"""Builds the native codec into the package, for wheels and editable installs alike; gives wheels their URLs.

AIRSTORE_CODEC names a library that was built elsewhere, AIRSTORE_WHEEL_PLATFORM its wheel's platform tag, and
AIRSTORE_PROJECT_URL the place that a release is published at, which a tree does not know: forks have others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

LIBRARY = "libairstore_codec.so"
MISSING = (
    "airstore's codec is written in Rust: install cargo 1.85 or newer (Debian 12: cargo-web) and try again"
)


PAGES = {
    "Homepage": "",
    "Source": "",
    "Issues": "/issues",
    "Changelog": "/blob/{version}/CHANGELOG.md",
    "Documentation": "/tree/{version}/docs",
}


class UrlsHook(MetadataHookInterface):
    """Project URLs (PyPA core metadata, ``Project-URL``), below the place that a release is published at."""

    def update(self, metadata: dict[str, Any]) -> None:
        home = os.environ.get("AIRSTORE_PROJECT_URL", "").rstrip("/")
        if home and not home.startswith("https://"):
            raise SystemExit(f"AIRSTORE_PROJECT_URL must begin with https://, not {home!r}")
        metadata["urls"] = {name: home + page.format(**metadata) for name, page in PAGES.items() if home}


class CodecHook(BuildHookInterface):
    """Runs cargo, and puts the library where the package looks for it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version
        platform = os.environ.get("AIRSTORE_WHEEL_PLATFORM") or sysconfig.get_platform()
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform.replace('-', '_').replace('.', '_')}"
        elsewhere = os.environ.get("AIRSTORE_CODEC")
        if elsewhere:  # maybe for another processor: it must not replace what this machine's checkout runs
            build_data["force_include"][elsewhere] = f"airstore/codec/{LIBRARY}"
            return
        package = Path(self.root, "airstore/codec")
        shutil.copyfile(self._library(package / "crate"), package / f"{LIBRARY}.new")
        Path(package, f"{LIBRARY}.new").replace(package / LIBRARY)
        build_data["artifacts"].append(f"airstore/codec/{LIBRARY}")

    def _library(self, crate: Path) -> Path:
        cargo = shutil.which(os.environ.get("CARGO", "cargo"))
        if cargo is None:
            raise SystemExit(MISSING)
        target = Path(os.environ.get("CARGO_TARGET_DIR", Path(self.root, "build/cargo")))
        command = [cargo, "build", "--release", "--locked", "--offline", "--quiet", "--package", "binding"]
        done = subprocess.run([*command, "--target-dir", target], cwd=crate, check=False)
        if done.returncode != 0:
            raise SystemExit("cargo could not build airstore's codec: see above")
        return target / "release" / LIBRARY
