"""What a bundle says of itself: its parts as CycloneDX (sbom.cdx.json), and their licences (NOTICE)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from airstore import __version__
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.ops.tool.platforms import (
    LIBRARY,
    PACKAGES,
    PYTHON_MODULE,
    PYTHON_RELEASE,
    PYTHON_SUM,
    PYTHON_VERSION,
    ToolPlatform,
)
from airstore.ops.tool.programs import PLACES, Program

SBOM, NOTICE = "sbom.cdx.json", "NOTICE"
_INTRODUCTION = """This directory is airstore {version} for {platform} with everything that it runs on.

airstore itself is under the Apache License 2.0 (LICENSE). The parts below are other people's work, each
under its own licence, whose words are in the files that are named behind it. Nothing was changed in them,
but files that are not needed were left out, modules compiled and symbols stripped; scripts/bundle of
airstore's sources does that.

- git is under the GNU General Public License, version 2. Whoever passes it on has to offer its complete
  source, too: scripts/bundle puts Debian's source packages, which it is built from, beside the bundle.
- pygit2 and the libgit2 in it are under the same license with a linking exception, which allows programs
  under any license to be linked with them.
- Helm and kubectl are made of many Go modules; modules of both have their licences in licences/helm alone.
- certifi's list of authorities is under the Mozilla Public License 2.0; it is unchanged.

"""


@frozen
class BundlePart:
    """One part of a bundle.

    Attributes:
        licence: an SPDX expression, or what its author wrote in place of one.
        purl: a package URL.
        hashes: of what was fetched, by CycloneDX's names.
        words: where the bundle has its licences.
    """

    name: str
    version: str
    licence: str
    purl: str
    hashes: Mapping[str, str]
    words: Sequence[str]


def parts(folder: Path, report: bytes, programs: Iterable[Program]) -> list[BundlePart]:
    """All parts of a bundle but airstore itself.

    Args:
        folder: of the bundle.
        report: pip's account of the packages.
        programs: what it carries beside Python.
    """
    origin = f"pkg:golang/{PYTHON_MODULE}@{PYTHON_RELEASE}"
    python = BundlePart("python", PYTHON_VERSION, "PSF-2.0", origin, {}, [f"{LIBRARY}/LICENSE.txt"])
    packages = [_package(folder, entry) for entry in json.loads(report)["install"]]
    return [
        python,
        *sorted(packages, key=lambda part: part.name),
        *(_program(folder, each) for each in programs),
    ]


def _package(folder: Path, entry: Mapping[str, Any]) -> BundlePart:
    name, version = entry["metadata"]["name"], entry["metadata"]["version"]
    (info,) = (
        path
        for path in (folder / PACKAGES).glob("*.dist-info")
        if _plain(path.stem.rpartition("-")[0]) == _plain(name)
    )
    described = message_from_bytes((info / "METADATA").read_bytes())
    words = [
        str(path.relative_to(folder))
        for path in sorted(info.rglob("*"))
        if path.is_file() and path.name.upper().startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS"))
    ]
    sha256 = entry["download_info"]["archive_info"]["hashes"]["sha256"]
    purl = f"pkg:pypi/{_plain(name)}@{version}"
    return BundlePart(name, version, _licence(described), purl, {"SHA-256": sha256}, words)


def _plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(described: Message) -> str:
    expression = described.get("License-Expression")
    if expression:
        return str(expression)
    classified = [
        line.rpartition("::")[2].strip()
        for line in described.get_all("Classifier", [])
        if line.startswith("License ::")
    ]
    return "; ".join(classified) or str(described.get("License", "")).partition("\n")[0] or "see its files"


def _program(folder: Path, program: Program) -> BundlePart:
    sha256 = Digest.of_file(folder / PLACES[program.name]).hex
    words = f"licences/{program.name}/"
    return BundlePart(
        program.name, program.version, program.licence, program.origin, {"SHA-256": sha256}, [words]
    )


def notice(listed: Iterable[BundlePart], platform: ToolPlatform) -> str:
    """The NOTICE of a bundle."""
    lines = [
        f"{part.name} {part.version}: {part.licence} ({', '.join(part.words) or '-'})" for part in listed
    ]
    head = _INTRODUCTION.format(version=__version__, platform=platform.name)
    return head + "\n".join(lines) + "\n"


def sbom(listed: Iterable[BundlePart], platform: ToolPlatform) -> bytes:
    """CycloneDX 1.5, in JSON; no serial number and no time, so that it is the same each time."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "airstore",
                "name": "airstore",
                "version": __version__,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "properties": [{"name": "airstore:platform", "value": platform.name}],
            },
        },
        "components": [_component(part) for part in listed],
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _component(part: BundlePart) -> dict[str, Any]:
    properties = [{"name": "go:sum", "value": PYTHON_SUM}] if part.name == "python" else []
    hashes = [{"alg": name, "content": value} for name, value in part.hashes.items()]
    return {
        "type": "application" if part.name in {*PLACES, "python"} else "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "licenses": [{"license": {"name": part.licence}}],
        **({"hashes": hashes} if hashes else {}),
        **({"properties": properties} if properties else {}),
    }
