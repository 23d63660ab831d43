"""The signed index of media: what they carry, for whom, and which state they need (docs/formats-media.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release_id import ReleaseId
from airstore.core.parsing import schema
from airstore.media.parity import shape
from airstore.media.parity.shape import Parity
from airstore.media.volumes import slices
from airstore.media.volumes.slices import Slice
from airstore.trust.statement import (
    CARRIED_MEDIA,
    DELTA_MEDIA,
    EVERY_MEDIA,
    MEDIA,
    SHARED_MEDIA,
    Statement,
    statement,
)

API_VERSION = "airstore/v1"
INDEX_NAME = "index.json"
INDEX_COPY = "parity/index.copy"  # media with parity have the index twice
BUNDLE_NAME = "history.bundle"
_ROOT_NAME = re.compile(r"roots/([1-9][0-9]{0,15})\.json")


def pack_path(digest: Digest) -> str:
    """Where a pack with this SHA-256 is on media."""
    return f"packs/{digest.hex}.pack"


def delta_path(digest: Digest) -> str:
    """Where a delta with this SHA-256 is on media."""
    return f"packs/{digest.hex}.delta"


def root_path(version: int) -> str:
    """Where a trust root is on media. The index does not list it: it says who may sign the index."""
    return f"roots/{version}.json"


def root_version(path: str) -> int | None:
    """The version of the trust root that such a path is of."""
    found = _ROOT_NAME.fullmatch(path)
    return int(found[1]) if found else None


def _older_delta_path(digest: Digest) -> str:
    """Where the first media with deltas had them."""
    return f"deltas/{digest.hex}.delta"


@frozen
class MediaFile:
    """One file on media: its size in bytes and its SHA-256."""

    size: int
    digest: Digest


@frozen
class MediaIndex:
    """What media carry.

    Attributes:
        product: the product they belong to.
        site: the only site that may take them in; empty for several, or any that trusts the publisher.
        release: what a site holds after the import.
        base: the release that a delta was made against, of several the oldest; None for full media.
        files: relative path to file, the index itself excepted.
        volumes: what lies on each; empty for media in one directory, whose files lie there whole.
        parity: what damaged files are rebuilt from; None where there is nothing.
        sites: the only sites that may take them in, where they are several.
        bases: the releases that a delta was made against, oldest first, where they are several.
    """

    product: str
    site: str
    release: ReleaseId
    base: ReleaseId | None
    files: Mapping[str, MediaFile]
    volumes: tuple[tuple[Slice, ...], ...] = ()
    parity: Parity | None = None
    sites: tuple[str, ...] = ()
    bases: tuple[ReleaseId, ...] = ()

    @property
    def addressees(self) -> tuple[str, ...]:
        """The only sites that may take them in; none for any that trusts the publisher."""
        return self.sites or ((self.site,) if self.site else ())

    @property
    def starts_from(self) -> str | None:
        """The versions of the bases, for people; None for full media."""
        bases = self.bases or ((self.base,) if self.base else ())
        return ", ".join(base.version for base in bases) or None

    @property
    def kind(self) -> str:
        """``full`` or ``delta``."""
        return "delta" if self.base else "full"

    @property
    def size(self) -> int:
        """Bytes of all files, the index excepted."""
        return sum(file.size for file in self.files.values())

    @property
    def contents(self) -> Mapping[str, MediaFile]:
        """The files that an import needs: all but those of the parity."""
        return {
            path: self.files[path] for path in self.files if not self.parity or path not in self.parity.paths
        }

    @property
    def content_pieces(self) -> Mapping[str, Slice]:
        """What an import needs by its name on the carriers: whole files, and slices of those that are cut."""
        found = (piece for path in self.contents for piece in self.slices(path))
        return {self.lies_at(piece): piece for piece in found}

    @property
    def on_all_volumes(self) -> frozenset[str]:
        """Files that lie on every volume as a whole."""
        return frozenset({self.parity.table} if self.parity else ())

    @property
    def packs(self) -> tuple[str, ...]:
        """Relative paths of the packs."""
        return tuple(sorted(path for path in self.files if path.endswith(".pack")))

    @property
    def deltas(self) -> tuple[str, ...]:
        """Relative paths of the deltas."""
        return tuple(sorted(path for path in self.files if path.endswith(".delta")))

    def slices(self, path: str) -> Iterator[Slice]:
        """What one file is cut into, in order: itself, where it is not."""
        pieces = [piece for volume in self.volumes for piece in volume if piece.path == path]
        whole = Slice(path, 0, self.files[path].size, self.files[path].digest)
        yield from sorted(pieces, key=lambda piece: piece.offset) or [whole]

    def lies_at(self, piece: Slice) -> str:
        """The relative path of a slice on its volume."""
        return piece.name(self.files[piece.path].size)

    def to_statement(self) -> bytes:
        """The in-toto statement to sign."""
        predicate: dict[str, Any] = {
            "apiVersion": API_VERSION,
            "kind": "Media",
            "product": self.product,
            "site": self.site,
            "release": self.release.to_json(),
            "base": self.base.to_json() if self.base else None,
            "sizes": {path: file.size for path, file in self.files.items()},
        }
        kind = DELTA_MEDIA if self.deltas else MEDIA
        if self.volumes or self.parity:
            kind = CARRIED_MEDIA
        if self.sites or self.bases:
            kind = SHARED_MEDIA
            predicate["sites"] = list(self.sites)
            predicate["bases"] = [base.to_json() for base in self.bases]
        if self.parity:
            predicate["parity"] = self.parity.to_json()
        if self.volumes:
            predicate["volumes"] = [[piece.to_json() for piece in volume] for volume in self.volumes]
        return statement(kind, {path: file.digest for path, file in self.files.items()}, predicate)

    @classmethod
    def of(cls, parsed: Statement, what: str) -> MediaIndex:
        """From a statement whose signature was verified, or is only looked at.

        Raises:
            DamagedError: not such a statement, or a path that is not one of ours.
        """
        if parsed.predicate_type not in EVERY_MEDIA:
            raise DamagedError(f"{what} is a statement about something else: {parsed.predicate_type!r}")
        predicate = dict(parsed.predicate)
        schema.check_json(predicate, "media", what)
        if set(predicate["sizes"]) != set(parsed.subjects):
            raise DamagedError(f"{what} lists sizes and digests of different files")
        for path, digest in parsed.subjects.items():
            named = {BUNDLE_NAME, pack_path(digest)}
            if parsed.predicate_type != MEDIA:
                named |= {delta_path(digest), _older_delta_path(digest)}
            if parsed.predicate_type in {CARRIED_MEDIA, SHARED_MEDIA}:
                named |= set(shape.named(digest))
            if path not in named:
                raise DamagedError(f"{what} lists {path} with the digest {digest}, which is not its name")
        volumes = tuple(tuple(map(Slice.parse, volume)) for volume in predicate.get("volumes", ()))
        parity = (
            Parity.parse(predicate["parity"], predicate["sizes"], what) if "parity" in predicate else None
        )
        if (
            bool(volumes or parity) != (parsed.predicate_type == CARRIED_MEDIA)
            and parsed.predicate_type != SHARED_MEDIA
        ):
            raise DamagedError(f"{what}: a {parsed.predicate_type} is what has volumes or parity")
        base = predicate["base"]
        shared = _shared(predicate, what, several=parsed.predicate_type == SHARED_MEDIA)
        found = cls(
            product=predicate["product"],
            site=predicate["site"],
            release=ReleaseId.parse(predicate["release"]),
            base=ReleaseId.parse(base) if base else None,
            files={
                path: MediaFile(predicate["sizes"][path], digest) for path, digest in parsed.subjects.items()
            },
            volumes=volumes,
            parity=parity,
            **shared,
        )
        if not {*(parity.paths if parity else ())} >= {
            path for path in found.files if path.startswith("parity/")
        }:
            raise DamagedError(f"{what} lists files of parity that it does not describe")
        if volumes:
            cut = {path: file.size for path, file in found.files.items() if path not in found.on_all_volumes}
            slices.check(volumes, cut, what)
        return found


def _shared(predicate: Mapping[str, Any], what: str, *, several: bool) -> dict[str, Any]:
    """The sites and bases of media that have several."""
    sites, bases = predicate.get("sites", ()), [ReleaseId.parse(each) for each in predicate.get("bases", ())]
    said = {"sites", "bases"} & predicate.keys()
    if len(said) != 2 * several or bool(sites or bases) != several or (sites and predicate["site"]):
        raise DamagedError(f"{what}: a {SHARED_MEDIA} is what has several sites or bases")
    if bases and (not predicate["base"] or bases[0] != ReleaseId.parse(predicate["base"])):
        raise DamagedError(f"{what}: the first of the bases is not the base")
    return {"sites": tuple(sites), "bases": tuple(bases)}
