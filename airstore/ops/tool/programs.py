"""The programs that a bundle carries beside Python: git, Helm and kubectl, made or fetched before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airstore.core.errors import NotFoundError
from airstore.core.frozen import frozen
from airstore.core.parsing import schema, strictjson
from airstore.ops.tool.platforms import ToolPlatform

LIST = "programs.json"
# Where each is in a bundle: bin/ comes before the host's own programs, fallback/ after them, for scripts of a
# site may need the kubectl that fits its cluster.
PLACES = {"git": "bin/git", "helm": "bin/helm", "kubectl": "fallback/kubectl"}


@frozen
class Program:
    """One of them.

    Attributes:
        licence: an SPDX expression.
        origin: where it comes from, a package URL.
        path: the program itself.
        licences: files with the words of its licences.
    """

    name: str
    version: str
    licence: str
    origin: str
    path: Path
    licences: tuple[Path, ...]


def read(directory: Path, platform: ToolPlatform) -> list[Program]:
    """What ``programs.json`` in a directory describes, for one platform.

    Raises:
        NotFoundError: no such list, or one of its programs is not there.
        DamagedError: the list is not one.
    """
    path = directory / LIST
    if not path.is_file():
        raise NotFoundError(f"{path} is missing", hint="scripts/bundle makes the programs and their list")
    document = strictjson.load_object(path.read_bytes(), str(path))
    schema.check_json(document, "tool-programs", str(path))
    return list(_programs(directory, document, platform))


def _programs(directory: Path, document: dict[str, Any], platform: ToolPlatform) -> Iterator[Program]:
    for name in PLACES:
        entry = document["programs"][name]
        path = directory / platform.dashed / name
        if not path.is_file():
            raise NotFoundError(f"{path} is missing", hint=f"scripts/bundle makes {name} for {platform.name}")
        licences = tuple(
            sorted(each for each in (directory / "licences" / name).rglob("*") if each.is_file())
        )
        if not licences:
            raise NotFoundError(f"{directory / 'licences' / name} has no licence of {name}")
        yield Program(name, entry["version"], entry["license"], entry["purl"], path, licences)
