"""What artifacts ask of a registry, read off their manifests; pure but for reading those."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor, Platform
from airstore.core.image.digest import Digest
from airstore.core.image.oci import Manifest
from airstore.core.limits import KIB, LIMITS
from airstore.core.model.release import Artifact, Image
from airstore.core.model.tags import settle_tags
from airstore.registry.client.referrers import describe
from airstore.registry.client.upload import RangeReader
from airstore.registry.platforms import attests
from airstore.registry.source import REF_NAME

_Entry = TypeVar("_Entry")
_SMALL = 64 * KIB  # bytes of a config that is rather sent again than asked for


@frozen
class Placed:
    """A blob or manifest in a repository."""

    repository: str
    blob: Descriptor


@frozen
class TagPush:
    """A tag of a repository.

    Attributes:
        target: what it names.
        substitutes: manifests that may stand in where the registry refuses the target, best one first.
    """

    repository: str
    name: str
    target: Descriptor
    substitutes: tuple[Descriptor, ...] = ()


@frozen
class Attachment:
    """A referrer and the subject it names."""

    repository: str
    subject: Digest
    referrer: Descriptor


@frozen
class PushContents:
    """Everything asked for, each thing once.

    Attributes:
        manifests: children before parents.
        sparse: indexes that lack a child somewhere below.
        optional: blobs and manifests that only attachments need; images are whole without them.
        configs: small configs of images, each of a single manifest, and that manifest.
        by_tag: manifests written with their tag alone: nothing in their repository refers to another.
    """

    blobs: tuple[Placed, ...]
    manifests: tuple[Placed, ...]
    sparse: frozenset[Digest]
    optional: frozenset[Placed]
    tags: tuple[TagPush, ...]
    attachments: tuple[Attachment, ...]
    configs: Mapping[Placed, Placed]
    by_tag: frozenset[Placed]


def want(
    artifacts: Sequence[tuple[str, Artifact]], reader: RangeReader, platforms: Sequence[Platform]
) -> PushContents:
    """Collect what the artifacts consist of.

    Args:
        artifacts: each with the repository it goes to.
        reader: gives the manifests.
        platforms: in order of preference, for the choice of substitutes.

    Raises:
        UsageError: two artifacts want the same tag for different content.
        DamagedError: an artifact lacks a part of itself.
    """
    settled = settle_tags(artifact for _, artifact in artifacts)
    for place, one, other in settled.clashes:
        raise _two_claims(f"{place.repository}:{place.tag}", one.root.digest, other.root.digest)
    parts = [
        _ArtifactManifests(repository, artifact, reader, settled.of(artifact))
        for repository, artifact in artifacts
    ]
    blobs = _once(placed for part in parts for placed in part.blobs())
    manifests = _once(Placed(part.repository, blob) for part in parts for blob in part.ordered)
    needed = {placed for part in parts for placed in part.needed()}
    tags = _distinct([tag for part in parts for tag in part.tags(platforms)])
    attachments = _once(entry for part in parts for entry in part.attachments())
    linked = {each.repository for each in attachments}
    linked |= {placed.repository for placed in manifests if placed.blob.media_type in oci.INDEXES}
    return PushContents(
        blobs=blobs,
        manifests=manifests,
        optional=frozenset(placed for placed in (*blobs, *manifests) if placed not in needed),
        sparse=frozenset(digest for part in parts for digest in part.sparse),
        tags=tags,
        attachments=attachments,
        configs=_of_one(entry for part in parts for entry in part.configs()),
        by_tag=frozenset(Placed(tag.repository, tag.target) for tag in tags if tag.repository not in linked),
    )


class _ArtifactManifests:
    """One artifact's manifests, parsed and put in order."""

    def __init__(self, repository: str, artifact: Artifact, reader: RangeReader, tags: Sequence[str]) -> None:
        self.repository = repository
        self._tags = tags
        self.ordered: list[Descriptor] = []
        self.sparse: set[Digest] = set()
        self._artifact = artifact
        self._left_out = artifact.missing if isinstance(artifact, Image) else ()
        self._descriptors = {blob.digest: blob for blob in artifact.blobs}
        self._data = {
            blob.digest: reader.read_bytes(blob.digest, LIMITS.manifest)
            for blob in artifact.blobs
            if blob.media_type in oci.DOCUMENTS
        }
        self._parsed: dict[Digest, Manifest] = {}
        for digest in [artifact.root.digest, *self._data]:
            self._visit(digest, 0)

    def blobs(self) -> Iterator[Placed]:
        """Configs and layers."""
        for manifest in self._parsed.values():
            for blob in manifest.blobs:
                self._require(blob.digest)
                yield Placed(self.repository, blob)

    def configs(self) -> Iterator[tuple[Placed, Placed]]:
        """Each config of an image with its manifest; those of other artifacts are often shared."""
        for digest, manifest in self._parsed.items():
            config = manifest.config
            if config and config.media_type in oci.IMAGE_CONFIGS and config.size <= _SMALL:
                owner = Placed(self.repository, self._descriptors[digest])
                yield Placed(self.repository, config), owner

    def needed(self) -> Iterator[Placed]:
        """What the artifact is not whole without: all below its root but for what an index attests."""
        waiting, seen = [self._artifact.root.digest], set[Digest]()
        while waiting:
            digest = waiting.pop()
            if digest in seen:
                continue
            seen.add(digest)
            manifest = self._parsed[digest]
            yield Placed(self.repository, self._descriptors[digest])
            yield from (Placed(self.repository, blob) for blob in manifest.blobs)
            waiting += [
                child.digest
                for child in manifest.manifests
                if child.digest in self._parsed and not attests(child)
            ]

    def tags(self, platforms: Sequence[Platform]) -> Iterator[TagPush]:
        """The artifact's tags, and those that lead to its referrers."""
        root = self._artifact.root
        substitutes = _by_preference(self._leaves(root.digest), platforms)
        for name in self._tags:
            yield TagPush(self.repository, name, root, tuple(substitutes))
        for referrer in self._artifact.referrers if isinstance(self._artifact, Image) else ():
            if REF_NAME in referrer.annotations:
                yield TagPush(self.repository, referrer.annotations[REF_NAME], referrer)

    def attachments(self) -> Iterator[Attachment]:
        """Manifests with a subject."""
        for digest, manifest in self._parsed.items():
            if manifest.subject:
                referrer = describe(self._descriptors[digest], manifest)
                yield Attachment(self.repository, manifest.subject.digest, referrer)

    def _visit(self, digest: Digest, depth: int) -> None:
        if digest in self._parsed:
            return
        if depth > LIMITS.index_depth:
            raise DamagedError(f"{self.repository}: indexes are nested deeper than {LIMITS.index_depth}")
        descriptor = self._require(digest)
        what = f"{self.repository}: {digest}"
        manifest = oci.parse(self._data[digest], descriptor.media_type, what)
        self._parsed[digest] = manifest
        for child in manifest.manifests:
            if child.digest in self._data:
                self._visit(child.digest, depth + 1)
            elif child not in self._left_out:
                raise DamagedError(f"{what} lists {child.digest}, which the release does not contain")
            if child.digest not in self._data or child.digest in self.sparse:
                self.sparse.add(digest)
        self.ordered.append(descriptor)

    def _leaves(self, digest: Digest) -> Iterator[Descriptor]:
        for child in self._parsed[digest].manifests:
            if child.digest not in self._data or (child.platform and child.platform.os == "unknown"):
                continue
            if child.media_type in oci.INDEXES:
                yield from self._leaves(child.digest)
            else:
                yield child

    def _require(self, digest: Digest) -> Descriptor:
        if digest not in self._descriptors:
            raise DamagedError(
                f"{self.repository}: the release does not contain {digest}, which it refers to"
            )
        return self._descriptors[digest]


def _by_preference(leaves: Iterator[Descriptor], platforms: Sequence[Platform]) -> list[Descriptor]:
    def rank(leaf: Descriptor) -> int:
        fitting = [i for i, wanted in enumerate(platforms) if leaf.platform and leaf.platform.matches(wanted)]
        return min(fitting, default=len(platforms))

    return sorted(leaves, key=rank)


def _distinct(tags: list[TagPush]) -> tuple[TagPush, ...]:
    by_name: dict[tuple[str, str], TagPush] = {}
    for tag in tags:
        known = by_name.setdefault((tag.repository, tag.name), tag)
        if known.target.digest != tag.target.digest:
            raise _two_claims(f"{tag.repository}:{tag.name}", known.target.digest, tag.target.digest)
    return tuple(by_name.values())


def _two_claims(place: str, one: Digest, other: Digest) -> UsageError:
    return UsageError(
        f"{place} is wanted for both {one} and {other}",
        hint="two upstream registries use the same path; rename one of the images in the product",
    )


def _of_one(configs: Iterable[tuple[Placed, Placed]]) -> Mapping[Placed, Placed]:
    owners: defaultdict[Placed, set[Placed]] = defaultdict(set)
    for config, owner in configs:
        owners[config].add(owner)
    return {config: next(iter(found)) for config, found in owners.items() if len(found) == 1}


def _once(entries: Iterable[_Entry]) -> tuple[_Entry, ...]:
    return tuple(dict.fromkeys(entries))
