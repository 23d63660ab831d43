"""What of releases a registry need not have any more, and deleting it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.model.release import Artifact, Image
from airstore.core.model.tags import settle_tags
from airstore.registry.client.manifests import delete_manifest, read_manifest
from airstore.registry.client.referrers import referrers_tag
from airstore.registry.client.registry import RegistryClient
from airstore.registry.parallel import run_all
from airstore.registry.source import REF_NAME

_REQUESTS = 8  # at a time


@frozen
class Unneeded:
    """Manifests and tags of artifacts that nothing needs which is kept.

    Attributes:
        manifests: repository and digest; what lists others comes before them.
        tags: repository and tag, and what it names: of manifests that stay under another tag.
    """

    manifests: tuple[tuple[str, Digest], ...]
    tags: Mapping[tuple[str, str], Digest]


def unneeded(kept: Sequence[Sequence[Artifact]], dropped: Sequence[Sequence[Artifact]]) -> Unneeded:
    """What only the dropped ones have. Pure.

    Args:
        kept: the artifacts of each release that stays.
        dropped: of each one that goes.
    """
    stays = {place for release in kept for artifact in release for place in _manifests(artifact)}
    named = {place for release in kept for place, _target in _tags(release)}
    goes = [place for release in dropped for artifact in release for place in _manifests(artifact)]
    tags = {place: target.digest for release in dropped for place, target in _tags(release)}
    return Unneeded(
        tuple(dict.fromkeys(place for place in goes if place not in stays)),
        {
            (repository, tag): digest
            for (repository, tag), digest in tags.items()
            if (repository, tag) not in named and (repository, digest) in stays
        },
    )


def find(client: RegistryClient, wanted: Unneeded) -> Unneeded:
    """What of it a registry has; listings of what was attached to such manifests, too.

    A tag that names something else by now is not ours.

    Raises:
        TransferError: the registry refused or broke off.
    """

    def named(place: tuple[str, str]) -> Digest | None:
        repository, selector = place
        try:
            found = read_manifest(client.transport, client.repository(repository), selector)
        except DamagedError:  # it is there, and it goes
            return Digest(selector) if ":" in selector else None
        return found[0].digest if found else None

    places = [(repository, str(digest)) for repository, digest in wanted.manifests]
    there = run_all(named, places, _REQUESTS)
    manifests = [place for place, found in zip(wanted.manifests, there, strict=True) if found]
    listings = [(repository, referrers_tag(digest)) for repository, digest in wanted.manifests]
    listed = run_all(named, listings, _REQUESTS)
    known = set(wanted.manifests)
    manifests += [
        (repository, digest)
        for (repository, _tag), digest in zip(listings, listed, strict=True)
        if digest and (repository, digest) not in known
    ]
    tags = run_all(named, list(wanted.tags), _REQUESTS)
    current = {
        place: digest
        for (place, digest), found in zip(wanted.tags.items(), tags, strict=True)
        if found == digest
    }
    return Unneeded(tuple(dict.fromkeys(manifests)), current)


def remove(client: RegistryClient, found: Unneeded, advance: Callable[[int], None]) -> int:
    """Delete what `find` found; how many manifests and tags are gone. Killed, the next call does the rest.

    Args:
        client: the registry.
        found: of `find`.
        advance: called with 1 for each.

    Raises:
        TransferError: the registry refused or broke off.
    """
    gone = 0
    selectors: list[tuple[str, str]] = [*found.tags]
    selectors += [(repository, str(digest)) for repository, digest in found.manifests]
    for repository, selector in selectors:
        gone += delete_manifest(client.transport, client.repository(repository), selector)
        advance(1)
    return gone


def _manifests(artifact: Artifact) -> Iterator[tuple[str, Digest]]:
    """Where an artifact's manifests are: its root, then indexes, then the others."""
    root = artifact.root.digest
    documents = [blob for blob in artifact.blobs if blob.media_type in oci.DOCUMENTS]
    documents.sort(key=lambda blob: (blob.digest != root, blob.media_type not in oci.INDEXES))
    return ((artifact.repository, blob.digest) for blob in documents)


def _tags(release: Iterable[Artifact]) -> Iterator[tuple[tuple[str, str], Descriptor]]:
    artifacts = list(release)
    settled = settle_tags(artifacts)
    for artifact in artifacts:
        for tag in settled.of(artifact):
            yield (artifact.repository, tag), artifact.root
        for entry in artifact.referrers if isinstance(artifact, Image) else ():
            if REF_NAME in entry.annotations:
                yield (artifact.repository, entry.annotations[REF_NAME]), entry
