"""Which artifact a tag names at a site, where several ask for it; pure.

A reference that is pinned to a digest is pulled by the digest: it takes its tag if nobody else wants it, and
travels without it otherwise. One without a pin has nothing but its tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from airstore.core.model.release import Artifact, Image


class RepositoryTag(NamedTuple):
    """A tag of a repository."""

    repository: str
    tag: str


class Clash(NamedTuple):
    """Two artifacts without a pin that claim one tag for different content."""

    place: RepositoryTag
    one: Artifact
    other: Artifact


class Tags(NamedTuple):
    """What each tag names, and who cannot agree."""

    named: Mapping[RepositoryTag, Artifact]
    clashes: list[Clash]

    def of(self, artifact: Artifact) -> tuple[str, ...]:
        """The tags that an artifact got, of those that it asked for."""
        places = (RepositoryTag(artifact.repository, tag) for tag in artifact.tags)
        return tuple(place.tag for place in places if self.named.get(place) is artifact)


def settle_tags(artifacts: Iterable[Artifact]) -> Tags:
    """Give each tag to one artifact at most."""
    named: dict[RepositoryTag, Artifact] = {}
    pinned: dict[RepositoryTag, list[Artifact]] = {}
    clashes: list[Clash] = []
    for artifact in artifacts:
        for tag in artifact.tags:
            place = RepositoryTag(artifact.repository, tag)
            if isinstance(artifact, Image) and artifact.reference.digest:
                pinned.setdefault(place, []).append(artifact)
                continue
            other = named.setdefault(place, artifact)
            if other.root.digest != artifact.root.digest:
                clashes.append(Clash(place, other, artifact))
    for place, wanting in pinned.items():
        if len({artifact.root.digest for artifact in wanting}) == 1:
            named.setdefault(place, wanting[0])
    return Tags(named, clashes)
