"""Docker archives, as ``docker save``, podman, skopeo, buildah, crane and kaniko write them.

Format: moby image/spec v1.2, "Combined Image JSON + Filesystem Changeset Format": ``manifest.json`` lists
for every image its config, its layers and its tags. There is no OCI manifest in it; one is made here,
always the same for the same archive: OCI media types over the config and the layers as they are.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Any, Self

from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.limits import LIMITS, MIB
from airstore.core.parsing import strictjson
from airstore.registry.sources.files import Files, TarFiles, read_small
from airstore.registry.sources.layout import OciLayout

_GZIP = b"\x1f\x8b"
_NO_DIGEST = (
    "a docker archive does not keep the registry's manifest, so a digest cannot be found in it;"
    " save the image as an OCI archive instead"
)


@frozen
class _Entry:
    config: str
    layers: tuple[str, ...]
    tags: tuple[Reference, ...]


@frozen
class _MadeManifest:
    """A manifest that was made, and where the blobs it names lie in the archive."""

    root: Descriptor
    manifest: bytes
    paths: dict[Digest, str] = field(hash=False)


def open_docker_archive(path: Path) -> OciLayout | DockerArchive:
    """Open a docker archive; where it is an OCI layout as well, as that, for that has the real manifests.

    Raises:
        NotFoundError: no such file.
        UsageError: the archive is compressed.
        DamagedError: not a whole, unambiguous tar, or not a docker archive.
    """
    files = TarFiles(path)
    try:
        if files.size("oci-layout") is not None and files.size("index.json") is not None:
            return OciLayout(files)
        return DockerArchive(files)
    except BaseException:
        files.close()
        raise


class DockerArchive:
    """An `ImageSource` on a docker archive."""

    def __init__(self, files: Files) -> None:
        """Read ``manifest.json``.

        Raises:
            NotFoundError: there is none.
            DamagedError: it is not what docker writes.
        """
        self.name = files.name
        self._files = files
        data = read_small(files, "manifest.json", LIMITS.manifest)
        self._entries = _entries(data, f"{self.name}: manifest.json")
        self._made: dict[_Entry, _MadeManifest] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the tar."""
        self._files.close()

    def resolve(self, reference: Reference) -> Descriptor:
        """See `ImageSource`; reads all layers of the image once to learn their digests."""
        return self._find(reference).root

    def open(self, reference: Reference, blob: Descriptor) -> Iterator[bytes]:
        """See `ImageSource`."""
        made = self._find(reference)
        if blob.digest == made.root.digest:
            return iter((made.manifest,))
        if blob.digest not in made.paths:
            raise NotFoundError(f"{self.name}: {reference} has no blob {blob.digest}")
        return self._files.stream(made.paths[blob.digest])

    def referrers(self, reference: Reference, subject: Digest) -> list[Descriptor]:  # noqa: ARG002
        """See `ImageSource`; the format cannot hold any."""
        return []

    def _find(self, reference: Reference) -> _MadeManifest:
        found = {entry for entry in self._entries if _is_for(entry, reference)}
        if len(self._entries) == 1 and not self._entries[0].tags:
            found = set(self._entries)
        if not found:
            has = ", ".join(sorted(str(tag) for entry in self._entries for tag in entry.tags))
            raise NotFoundError(
                f"{self.name} has no {reference}", hint=f"it has: {has or 'nothing with a tag'}"
            )
        if len(found) > 1:
            raise UsageError(f"{self.name} has several images tagged {reference}")
        made = self._make(found.pop())
        if reference.digest not in {None, made.root.digest}:
            raise NotFoundError(f"{self.name} has no {reference}", hint=_NO_DIGEST)
        return made

    def _make(self, entry: _Entry) -> _MadeManifest:
        if entry not in self._made:
            self._made[entry] = self._synthesise(entry)
        return self._made[entry]

    def _synthesise(self, entry: _Entry) -> _MadeManifest:
        config = read_small(self._files, entry.config, LIMITS.manifest)
        diff_ids = _diff_ids(config, f"{self.name}: {entry.config}")
        if len(diff_ids) != len(entry.layers):
            counts = f"{len(entry.layers)} layers where its config has {len(diff_ids)}"
            raise DamagedError(f"{self.name}: {entry.config} is listed with {counts}")
        pairs = zip(entry.layers, diff_ids, strict=True)
        layers = [self._layer(path, diff_id) for path, diff_id in pairs]
        described = Descriptor(oci.OCI_CONFIG, Digest.of(config), len(config))
        manifest = _manifest(described, layers)
        paths = {layer.digest: path for layer, path in zip(layers, entry.layers, strict=True)}
        root = Descriptor(oci.OCI_MANIFEST, Digest.of(manifest), len(manifest))
        return _MadeManifest(root, manifest, paths | {described.digest: entry.config})

    def _layer(self, path: str, diff_id: Digest) -> Descriptor:
        """Hash a layer, as it is and uncompressed, and hold the latter against the config."""
        stored, plain, size = hashlib.sha256(), hashlib.sha256(), 0
        inflate: _Gunzip | None = None
        for chunk in self._files.stream(path):
            if size == 0 and chunk.startswith(_GZIP):
                inflate = _Gunzip(f"{self.name}: {path}")
            size += len(chunk)
            stored.update(chunk)
            for piece in inflate.feed(chunk) if inflate else (chunk,):
                plain.update(piece)
        if inflate:
            inflate.finish()
        if plain.digest() != diff_id.raw:
            raise DamagedError(f"{self.name}: layer {path} is not the {diff_id} that the config names")
        return Descriptor(
            oci.OCI_LAYER + ("+gzip" if inflate else ""), Digest.from_raw(stored.digest()), size
        )


class _Gunzip:
    """Inflate gzip members in pieces of bounded size; crane and kaniko keep layers compressed."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._total = 0
        self._stream = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(wbits=31)
            try:
                piece = self._stream.decompress(data, MIB)
            except zlib.error as fault:
                raise DamagedError(f"{self._what} is not intact gzip: {fault}") from fault
            self._total += len(piece)
            if self._total > LIMITS.layer_plain:
                raise DamagedError(f"{self._what} inflates to more than {LIMITS.layer_plain} bytes")
            yield piece
            data = self._stream.unused_data or self._stream.unconsumed_tail

    def finish(self) -> None:
        if not self._stream.eof:
            raise DamagedError(f"{self._what} is cut off")


def _is_for(entry: _Entry, reference: Reference) -> bool:
    return any((tag.name, tag.tag) == (reference.name, reference.tag) for tag in entry.tags)


def _entries(data: bytes, what: str) -> list[_Entry]:
    document = strictjson.loads(data, what, LIMITS.manifest)
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise DamagedError(f"{what} must be an array of objects")
    return [
        _Entry(
            config=_texts([entry.get("Config")], what)[0].removeprefix("./"),
            layers=tuple(path.removeprefix("./") for path in _texts(entry.get("Layers"), what)),
            tags=tuple(filter(None, map(_tag, _texts(entry.get("RepoTags"), what)))),
        )
        for entry in document
    ]


def _tag(text: str) -> Reference | None:
    """A tag; None where it is none, such as ``<none>:<none>``: nobody can ask for that image by it."""
    try:
        return Reference.parse(text)
    except UsageError:
        return None


def _texts(values: Any, what: str) -> tuple[str, ...]:
    values = values or []
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise DamagedError(f"{what}: Config, Layers and RepoTags must be strings")
    return tuple(values)


def _diff_ids(config: bytes, what: str) -> list[Digest]:
    rootfs = strictjson.load_object(config, what).get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or not all(isinstance(entry, str) for entry in diff_ids):
        raise DamagedError(f"{what} has no rootfs.diff_ids; it is not an image config")
    return [Digest(entry) for entry in diff_ids]


def _manifest(config: Descriptor, layers: list[Descriptor]) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return json.dumps(document, separators=(",", ":")).encode()
