"""Which packages an image has, out of its own package databases, read from its layers; and what changed."""

from __future__ import annotations

import io
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS, MIB
from airstore.core.model.release import Image
from airstore.core.progress import Advance, Progress
from airstore.ops.review.databases import UNREAD, Package, parser_of
from airstore.store.blobs import BlobStore, plain_chunks

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FILE = 256 * MIB  # an rpm database of a full system has 100 MB
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
Inventory = Mapping[tuple[str, str], tuple[str, ...]]  # manager and name to versions


@frozen
class PackageChange:
    """One package of one platform of an image that differs; versions are empty where it is not there."""

    manager: str
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def change(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "changed" if self.old and self.new else "added" if self.new else "removed"


@frozen
class Scan:
    """What one layer says: files of databases, and what it takes away from the layers below.

    Attributes:
        found: path to packages.
        gone: paths of files and directories that it removes.
        opaque: directories of which it hides what was in them before.
        unread: databases that are not understood.
    """

    found: dict[str, tuple[Package, ...]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


class Scanner:
    """Reads each layer once, however many images have it.

    Args:
        blobs: where the layers are.
        progress: shows what is read.
    """

    def __init__(self, blobs: BlobStore, progress: Progress) -> None:
        self._blobs, self._progress = blobs, progress
        self._known: dict[Digest, Scan] = {}

    def inventories(self, image: Image) -> dict[str, tuple[Inventory, tuple[str, ...]]]:
        """Platform to packages, and what could not be read there.

        Raises:
            NotFoundError: a layer or a manifest is not here.
            DamagedError: it cannot be read.
        """
        return {name: self._merged(layers) for name, layers in self._platforms(image)}

    def _platforms(self, image: Image) -> Iterator[tuple[str, tuple[Descriptor, ...]]]:
        here = {blob.digest for blob in image.blobs}
        ahead = [(image.root, "")]
        while ahead:
            described, platform = ahead.pop(0)
            data = self._blobs.read_bytes(described.digest, LIMITS.manifest)
            document = oci.parse(data, described.media_type, f"manifest {described.digest}")
            if document.config:
                yield platform, document.layers
            ahead += [
                (child, str(child.platform or ""))
                for child in document.manifests
                if child.digest in here and not (child.platform and child.platform.os == "unknown")
            ]

    def _merged(self, layers: Iterable[Descriptor]) -> tuple[Inventory, tuple[str, ...]]:
        """The layers on top of each other, as a container sees them."""
        files: dict[str, tuple[Package, ...]] = {}
        unread: dict[str, str] = {}
        for layer in layers:
            scan = self._scan(layer)
            files = {path: found for path, found in files.items() if not _hidden(path, scan)} | scan.found
            unread = {path: why for path, why in unread.items() if not _hidden(path, scan)} | scan.unread
        versions: dict[tuple[str, str], set[str]] = defaultdict(set)
        for package in (each for found in files.values() for each in found):
            versions[package.manager, package.name].add(package.version)
        inventory = {key: tuple(sorted(each)) for key, each in sorted(versions.items())}
        return inventory, tuple(unread.values())

    def _scan(self, layer: Descriptor) -> Scan:
        if layer.digest not in self._known:
            if "tar" not in layer.media_type:  # an artifact that is no file system
                self._known[layer.digest] = Scan()
            else:
                with self._progress.task(f"packages in {layer.digest.short}", None) as advance:
                    chunks = plain_chunks(self._blobs.reader(), layer.digest)
                    self._known[layer.digest] = scan_tar(ChunkFile(chunks, advance), str(layer.digest))
        return self._known[layer.digest]


def scan_tar(stream: io.RawIOBase, what: str) -> Scan:
    """Look through a layer's tar.

    Raises:
        DamagedError: it is no tar.
    """
    scan = Scan()
    try:
        with tarfile.open(fileobj=io.BufferedReader(stream, MIB), mode="r|") as tar:
            for member in tar:
                _look(tar, member, scan)
                tar.members = []  # type: ignore[attr-defined]  # it would keep every header of the layer
    except (tarfile.TarError, EOFError, ValueError) as fault:
        raise DamagedError(f"layer {what} is no tar: {fault}") from fault
    return scan


def _look(tar: tarfile.TarFile, member: tarfile.TarInfo, scan: Scan) -> None:
    path = str(PurePosixPath("/", member.name)).lstrip("/")
    directory, _, name = path.rpartition("/")
    if name == _OPAQUE:
        scan.opaque.add(directory)
    elif name.startswith(_WHITEOUT):
        scan.gone.add(f"{directory}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
    elif not member.isfile():
        return
    elif UNREAD.search(path):
        scan.unread[path] = f"{path}: a database of an rpm before 4.16"
    elif parse := parser_of(path):
        if member.size > _FILE:
            scan.unread[path] = f"{path}: {member.size} bytes are too many"
            return
        file = tar.extractfile(member)
        try:
            scan.found[path] = tuple(parse(file.read() if file else b""))
        except DamagedError as fault:
            scan.unread[path] = f"{path}: {fault}"


def _hidden(path: str, scan: Scan) -> bool:
    parents = {str(parent) for parent in PurePosixPath(path).parents}
    return path in scan.gone or bool(parents & scan.gone or (parents | {""}) & scan.opaque)


def compare(old: Inventory, new: Inventory) -> tuple[PackageChange, ...]:
    """What differs, by manager and name."""
    return tuple(
        PackageChange(*key, old.get(key, ()), new.get(key, ()))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    )


class ChunkFile(io.RawIOBase):
    """Chunks as a file that is read once from beginning to end."""

    def __init__(self, chunks: Iterator[bytes], advance: Advance) -> None:
        self._chunks, self._advance, self._rest = chunks, advance, memoryview(b"")

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """See `io.RawIOBase`."""
        view = memoryview(buffer)
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
            self._advance(len(self._rest))
        taken = self._rest[: len(view)]
        view[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
