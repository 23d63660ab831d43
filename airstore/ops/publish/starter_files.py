"""What a list of images or another tool's file says of a product; see `.starter`."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.image.reference import Reference
from airstore.core.parsing import yamlfile
from airstore.ops.publish.starter import Starter, StarterChart, label

_NO_PART = ("manifests", "files", "repos", "dataInjections", "actions")  # of a product file
_SHOWN = 5  # lines that are no images
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # as PowerShell writes


def from_file(path: Path) -> Starter:
    """Start from a list of images (one a line, ``#`` begins a comment), a ``zarf.yaml`` or a Hauler manifest.

    Lines may be those of a YAML list, quoted, and say ``docker://``.

    Raises:
        NotFoundError: no such file.
        UsageError: it is none of these, or names nothing.
    """
    text = _text(path)
    documents = _documents(text, path)
    kinds = {str(document.get("kind")) for document in documents}
    name = label(path.resolve().parent.name)
    if "ZarfPackageConfig" in kinds:
        starter = _of_zarf(_StarterPart(documents[0], path))
    elif kinds & {"Images", "Charts", "Files"}:
        starter = _of_hauler([_StarterPart(document, path) for document in documents], name)
    elif documents:
        raise UsageError(
            f"{path} is no list of images, no zarf.yaml and no Hauler manifest",
            hint="write one image a line",
        )
    else:
        starter = Starter(name, (), tuple(_listed(text, path)))
    if not starter.images and not starter.charts:
        raise UsageError(f"{path} names no image and no chart", hint="write one image a line")
    return starter


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read {path}: {fault.strerror}") from fault
    try:
        return data.decode(_MARKS.get(data[:2], "utf-8-sig"))
    except UnicodeDecodeError as fault:
        raise UsageError(f"{path} is no text: {fault}", hint="write one image a line, in UTF-8") from fault


def _documents(text: str, path: Path) -> list[Mapping[str, Any]]:
    """The YAML documents of a file; none where it is no YAML of mappings, as a list of images is not."""
    try:
        documents = yamlfile.load_texts(text, str(path))
    except UsageError:
        return []
    return [document for document in documents if isinstance(document, dict)]


def _listed(text: str, path: Path) -> Iterator[str]:
    """Each image once; every line that is none is named."""
    images: dict[str, None] = {}
    wrong = []
    for number, line in enumerate(text.splitlines(), 1):
        image = line.partition("#")[0].strip().removeprefix("- ").strip(" \t,'\"").removeprefix("docker://")
        if _is_image(image):
            images[image] = None
        elif image not in ("", "---"):
            wrong.append(f"{path}:{number}: {image[:100]!r} is not an image reference")
    if wrong:
        more = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise UsageError("\n".join(wrong[:_SHOWN] + more), hint="write one image a line; # begins a comment")
    yield from images


def _is_image(text: str) -> bool:
    try:
        Reference.parse(text)
    except UsageError:
        return False
    return True


class _StarterPart:
    """A mapping of another tool's file, which may be anything."""

    def __init__(self, value: Any, path: Path, where: str = "") -> None:
        if not isinstance(value, dict | None):
            raise UsageError(f"{path}: {where} must be a mapping, not {value!r:.60}")
        self._value, self._path, self._where = value or {}, path, where

    def text(self, name: str) -> str:
        value = self._value.get(name)
        return "" if value is None else str(value)

    def has(self, name: str) -> bool:
        return bool(self._value.get(name))

    def part(self, name: str) -> _StarterPart:
        return _StarterPart(self._value.get(name), self._path, f"{self._where}{name}")

    def items(self, name: str) -> list[Any]:
        value = self._value.get(name) or []
        if not isinstance(value, list):
            raise UsageError(f"{self._path}: {self._where}{name} must be a list, not {value!r:.60}")
        return value

    def parts(self, name: str) -> list[_StarterPart]:
        where = f"{self._where}{name}"
        return [_StarterPart(each, self._path, f"{where}[{n}].") for n, each in enumerate(self.items(name))]


def _of_zarf(package: _StarterPart) -> Starter:
    charts: list[StarterChart] = []
    images: list[str] = []
    notes: list[str] = []
    for component in package.parts("components"):
        charts += [_zarf_chart(entry) for entry in component.parts("charts")]
        images += map(str, component.items("images"))
        left = ", ".join(key for key in _NO_PART if component.has(key))
        if left:
            notes.append(f"component {component.text('name')} also has {left}: no part of a product file")
    if package.has("variables") or package.has("constants"):
        notes.append("variables and constants: bind chart values to site variables instead (bind)")
    name = label(package.part("metadata").text("name") or "product")
    return _made(name, charts, images, notes)


def _zarf_chart(entry: _StarterPart) -> StarterChart:
    url, local = entry.text("url"), entry.text("localPath")
    name = entry.text("repoName") or entry.text("name")
    doubt = "airstore takes no chart from git: put the chart beside this file" if ".git" in url else ""
    usable = url.startswith(("oci://", "https://", "http://")) and not doubt
    source = url if usable else local or f"./charts/{name}"
    files = tuple(map(str, entry.items("valuesFiles")))
    return StarterChart(name, source, entry.text("version"), entry.text("namespace"), files, doubt)


def _of_hauler(documents: Sequence[_StarterPart], name: str) -> Starter:
    charts: list[StarterChart] = []
    images: list[str] = []
    notes: list[str] = []
    for document in documents:
        spec = document.part("spec")
        images += [entry.text("name") for entry in spec.parts("images")]
        for entry in spec.parts("charts"):
            url, chart = entry.text("repoURL"), entry.text("name")
            source = f"{url.rstrip('/')}/{chart}" if url.startswith("oci://") else url or f"./charts/{chart}"
            charts.append(StarterChart(chart, source, entry.text("version")))
        if spec.has("files"):
            notes.append("files: no part of a product file")
    return _made(name, charts, images, notes)


def _made(name: str, charts: Sequence[StarterChart], images: Iterable[str], notes: Sequence[str]) -> Starter:
    """What is no image yet, such as one with a variable of the other tool, is for a person to complete."""
    each = list(dict.fromkeys(images))
    open_ = [
        f"image {_line(text)}: no image reference; write what it stands for"
        for text in each
        if not _is_image(text)
    ]
    return Starter(name, tuple(charts), tuple(filter(_is_image, each)), (*notes, *open_))


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:200]
