"""SBOMs by the real syft, of a small system before and after an update.

GOBIN=DIR go install github.com/anchore/syft/cmd/syft@latest
python -m scripts.vectors.sbom DIR/syft fixtures/sbom
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

SYSTEMS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "old": {"deb": {"zlib1g": "1:1.2.13", "base": "12.4"}, "pip": {"Typing_Extensions": "4.1", "left": "1"}},
    "new": {"deb": {"zlib1g": "1:1.3.1", "base": "12.4"}, "pip": {"Typing_Extensions": "4.2", "right": "1"}},
}
OS = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n'


def system(root: Path, packages: Mapping[str, Mapping[str, str]]) -> None:
    """Package databases, as an image has them."""
    put(root / "etc/os-release", OS)
    stanzas = (
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in packages["deb"].items()
    )
    put(root / "var/lib/dpkg/status", "\n".join(stanzas))
    for name, version in packages["pip"].items():
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        put(root / f"usr/lib/python3/dist-packages/{name}-{version}.dist-info/METADATA", metadata)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main() -> None:
    syft, out = Path(sys.argv[1]).absolute(), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for name, packages in SYSTEMS.items():
        with tempfile.TemporaryDirectory() as base:
            system(Path(base) / "root", packages)
            forms = [f"{form}={out.absolute() / name}.{form}" for form in ("spdx-json", "cyclonedx-json")]
            outputs = [word for form in forms for word in ("-o", form)]
            subprocess.run(
                [syft, "scan", "dir:root", "--source-name", "system", *outputs], cwd=base, check=True
            )


if __name__ == "__main__":
    main()
