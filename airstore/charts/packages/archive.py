"""Strict, bounded reading of packaged charts.

Source: Helm's chart loader (pkg/chart/loader) and its advisories: path traversal (CVE-2024-25620,
CVE-2026-35206), decompression bombs (CVE-2025-32386), links (CVE-2025-53547). Nothing is ever extracted
to disk under a name from the archive.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from airstore.charts.packages.metadata import as_helm_reads
from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.core.parsing import yamlfile

SCHEMA = "values.schema.json"
"""A chart's schema of its values, within the chart."""

_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_VERSION = re.compile(r"v?\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_DRIVE = re.compile("[A-Za-z]:")
_STEP = 1 << 20
_LONGEST = 128  # characters of a chart's name or version that registries take
_DEPTH = 8  # charts within charts
_KINDS = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE}
_GZIP = b"\x1f\x8b"
_WAY_OUT = (
    "Helm may take it all the same: unpack it with `helm pull --untar` or tar, correct that, and name the"
    " directory as the chart's source"
)


@frozen
class ChartArchive:
    """A packaged chart, read.

    Attributes:
        metadata: what ``Chart.yaml`` says.
        files: path within the chart to content, subcharts' files included.
        subcharts: the charts under ``charts/``, whether packed or not.
    """

    name: str
    version: str
    metadata: Mapping[str, Any] = field(hash=False)
    files: Mapping[str, bytes] = field(hash=False, repr=False)
    subcharts: tuple[ChartArchive, ...] = field(default=(), repr=False)

    @property
    def dependencies(self) -> list[Mapping[str, Any]]:
        """The declared dependencies, wherever this version of the chart format keeps them."""
        declared = self.metadata.get("dependencies")
        if declared is None and "requirements.yaml" in self.files:
            document = yamlfile.load(self.files["requirements.yaml"], f"{self.name}/requirements.yaml")
            declared = document.get("dependencies") if isinstance(document, dict) else None
        return [entry for entry in declared or () if isinstance(entry, dict)]

    def yaml(self, path: str) -> Any:
        """One of the chart's YAML files; None where it has none of that name.

        Raises:
            UsageError: it is not YAML.
        """
        if path not in self.files:
            return None
        documents = yamlfile.load_manifests(self.files[path], f"{self.name}/{path}")
        return documents[0] if documents else None


@dataclass
class _Budget:
    """What is left to read, shared by a chart and all charts within it."""

    size: int = LIMITS.chart_archive
    files: int = LIMITS.chart_files

    def take(self, size: int, files: int, what: str) -> None:
        self.size -= size
        self.files -= files
        if self.size < 0:
            raise DamagedError(f"{what} holds more than {LIMITS.chart_archive} bytes")
        if self.files < 0:
            raise DamagedError(f"{what} holds more than {LIMITS.chart_files} files")


def read_chart(archive: bytes | Path, what: str = "") -> ChartArchive:
    """Read a chart archive (``.tgz``).

    Raises:
        NotFoundError: no such file.
        DamagedError: not a gzip-compressed tar, cut off, too large, with trailing data, or with names, links
            or devices that a chart has no use for; or its ``Chart.yaml`` is missing or wrong.
    """
    if isinstance(archive, Path):
        what = what or str(archive)
        try:
            with archive.open("rb") as file:
                archive = file.read(LIMITS.chart_archive + 1)
        except OSError as fault:
            raise NotFoundError(f"cannot read the chart {what}: {fault.strerror}") from fault
    try:
        return _read(archive, what or "chart archive", _Budget(), 0)
    except DamagedError as fault:
        raise DamagedError(str(fault), hint=fault.hint or _WAY_OUT) from fault


def _read(archive: bytes, what: str, budget: _Budget, depth: int) -> ChartArchive:
    if depth > _DEPTH:
        raise DamagedError(f"{what}: charts are nested deeper than {_DEPTH} levels")
    members = _members(_decompress(archive, what, budget), what, budget)
    # As Helm does: the first directory's name says nothing, and there may be several.
    files: dict[str, bytes] = {}
    for name, data in members.items():
        path = name.partition("/")[2]
        if files.setdefault(path, data) != data:
            raise DamagedError(f"{what} holds {path!r} twice, in two directories, with two contents")
    if "Chart.yaml" not in files:
        tops = sorted({PurePosixPath(name).parts[0] for name in members})
        raise DamagedError(f"{what} must hold a directory with a Chart.yaml, it holds {tops[:5]}")
    return _chart(files, what, budget, depth)


def _chart(files: dict[str, bytes], what: str, budget: _Budget, depth: int) -> ChartArchive:
    try:
        documents = yamlfile.load_manifests(files["Chart.yaml"], f"{what}: Chart.yaml")
    except UsageError as fault:
        raise DamagedError(str(fault)) from fault
    metadata = documents[0] if documents else None
    if not isinstance(metadata, dict):
        raise DamagedError(f"{what}: Chart.yaml must be a mapping")
    metadata = as_helm_reads(metadata)
    name, version = _text(metadata, "name"), _text(metadata, "version")
    _check_name(name, what, within=depth > 0)
    _check_version(version, what)
    return ChartArchive(name, version, metadata, files, _subcharts(files, what, budget, depth))


def _text(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _check_name(name: str, what: str, *, within: bool) -> None:
    if within and name:
        return  # no registry ever hears of a chart within a chart, and Helm takes any name
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise DamagedError(
            f"{what}: {name!r} is not a chart name that registries take",
            hint="unpack the chart, write its name in lower case, and name the directory as the source",
        )


def _check_version(version: str, what: str) -> None:
    if len(version) > _LONGEST:
        raise DamagedError(f"{what}: the chart version {version[:40]}... is longer than tags of registries")
    if not _VERSION.fullmatch(version):
        raise DamagedError(f"{what}: {version!r} is not a chart version")


def _subcharts(files: dict[str, bytes], what: str, budget: _Budget, depth: int) -> tuple[ChartArchive, ...]:
    charts, directories = [], dict[str, dict[str, bytes]]()
    for path, data in files.items():
        parts = PurePosixPath(path).parts
        if parts[0] != "charts" or len(parts) < 2 or parts[1][0] in "._":
            continue
        if len(parts) > 2:
            directories.setdefault(parts[1], {})[str(PurePosixPath(*parts[2:]))] = data
        elif path.endswith(".tgz"):
            charts.append(_read(data, f"{what}: {path}", budget, depth + 1))
    for name, inner in directories.items():
        if "Chart.yaml" in inner:
            charts.append(_chart(inner, f"{what}: charts/{name}", budget, depth + 1))
    return tuple(sorted(charts, key=lambda chart: (chart.name, chart.version)))


def _decompress(archive: bytes, what: str, budget: _Budget) -> bytes:
    if len(archive) > LIMITS.chart_archive:
        raise DamagedError(f"{what} is larger than {LIMITS.chart_archive} bytes")
    plain, pending = bytearray(), archive
    while pending.rstrip(b"\0"):  # several members are one stream to every reader, and padding is none
        if plain and not pending.startswith(_GZIP):
            raise DamagedError(f"{what} has {len(pending)} bytes after its end")
        pending = _inflate(pending, plain, what, budget)
    if not archive:
        raise DamagedError(f"{what} is empty")
    return bytes(plain)


def _inflate(pending: bytes, plain: bytearray, what: str, budget: _Budget) -> bytes:
    """Append one member's content; returns what comes after it."""
    decoder = zlib.decompressobj(wbits=31)
    try:
        while not decoder.eof:
            piece = decoder.decompress(pending, _STEP)
            pending = decoder.unconsumed_tail
            if not piece and not pending and not decoder.eof:
                raise DamagedError(f"{what} is cut off")
            budget.take(len(piece), 0, what)
            plain += piece
    except zlib.error as fault:
        raise DamagedError(f"{what} is not gzip: {fault}") from fault
    return decoder.unused_data


def _members(plain: bytes, what: str, budget: _Budget) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    try:
        # tarfile stops without a word at a header it cannot read, so the rest must be the end mark.
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            for member in tar:
                budget.take(0, 1, what)
                member.name = _clean(member.name)
                _check_member(member, what)
                if _is_content(member):
                    data = _content(tar, member)
                    if members.setdefault(member.name, data) != data:
                        raise DamagedError(f"{what} holds {member.name!r} twice, with two contents")
            rest = plain[tar.offset :]
    except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError, OSError) as fault:
        raise DamagedError(f"{what} is not a tar archive: {fault}") from fault
    if rest.strip(b"\0"):  # without an end mark gzip's own checksum says that nothing is missing
        raise DamagedError(f"{what}: its tar archive is cut off or damaged at byte {len(plain) - len(rest)}")
    directories = {str(parent) for name in members for parent in PurePosixPath(name).parents}
    if clash := directories & members.keys():
        raise DamagedError(f"{what}: {min(clash)!r} is both a file and a directory")
    return members


def _clean(name: str) -> str:
    """A path as Helm reads it: tools of Windows write it with backslashes, others with empty steps in it."""
    if "/" not in name:
        name = name.replace("\\", "/")
    first, *rest = name.removeprefix("./").split("/")
    return "/".join([first, *(part for part in rest if part not in {"", "."})])


def _check_member(member: tarfile.TarInfo, what: str) -> None:
    name = member.name
    parts = name.split("/")
    if any(part in {"", ".", ".."} for part in parts) or not name.isprintable():
        raise DamagedError(f"{what}: {name!r} is not a path within the chart")
    if "\\" in name or _DRIVE.match(name):
        raise DamagedError(f"{what}: {name!r} is not a plain relative path")
    if member.issparse() or member.type not in _KINDS:
        raise DamagedError(f"{what}: {name!r} is a device, a pipe or a sparse file")
    if not member.isdir() and len(parts) < 2:
        raise DamagedError(f"{what}: {name!r} is outside the chart's directory")
    if member.size > LIMITS.chart_file:
        raise DamagedError(f"{what}: {name!r} is larger than {LIMITS.chart_file} bytes")


def _is_content(member: tarfile.TarInfo) -> bool:
    # A link is an empty file to Helm; nothing is ever made under its name, so it may stay. What a forgotten
    # checkout left is not the chart's, and the tree of no commit can hold it.
    own = any(part.lower() == ".git" for part in member.name.split("/"))
    return not (own or member.isdir() or member.issym() or member.islnk())


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise EOFError(f"{member.name} ends after {len(data)} of {member.size} bytes")
    return data
