"""What changed between two releases: images, layers, charts, values, with sizes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.model.release import Artifact, Chart, Image, Release


@frozen
class ArtifactChange:
    """One image or chart that differs.

    Attributes:
        kind: ``image`` or ``chart``.
        change: ``added``, ``removed`` or ``changed``.
        new_blobs: blobs of the newer one that the older release has nowhere.
        new_bytes: their size.
        total_bytes: all blobs of the newer one.
    """

    kind: str
    name: str
    change: str
    old: str
    new: str
    new_blobs: tuple[Descriptor, ...]
    new_bytes: int
    total_bytes: int


@frozen
class HelmChange:
    """One Helm release whose definition differs: namespace, chart, values files, bindings, order, hooks."""

    name: str
    change: str
    fields: tuple[str, ...]


@frozen
class ReleaseDiff:
    """The whole difference; files are left to git, which is better at them."""

    old: str
    new: str
    artifacts: tuple[ArtifactChange, ...]
    helm_releases: tuple[HelmChange, ...]
    new_bytes: int


def diff_releases(old: Release, new: Release) -> ReleaseDiff:
    """Compare two releases by content."""
    known = old.blobs()
    changes = [_artifact(name, before, after, known) for name, before, after in paired(old, new)]
    fresh = {digest: blob for digest, blob in new.blobs().items() if digest not in known}
    return ReleaseDiff(
        old=old.version,
        new=new.version,
        artifacts=tuple(change for change in changes if change),
        helm_releases=tuple(_helm_changes(old, new)),
        new_bytes=sum(blob.size for blob in fresh.values()),
    )


def paired(old: Release, new: Release) -> list[tuple[tuple[str, str], Artifact | None, Artifact | None]]:
    """Kind and name of each artifact, what it was and what it is; those that are gone come last."""
    moved = _retagged(old, new)
    before, after = _by_name(old, moved), _by_name(new, moved)
    names = [*after, *(name for name in before if name not in after)]
    return [(name, before.get(name), after.get(name)) for name in names]


def _retagged(old: Release, new: Release) -> frozenset[str]:
    """Repositories of which each release has one image: there another tag is a change, not a removal."""
    counts = [Counter(image.reference.name for image in release.images) for release in (old, new)]
    return frozenset(name for name in counts[0] if counts[0][name] == counts[1][name] == 1)


def _by_name(release: Release, moved: frozenset[str]) -> dict[tuple[str, str], Artifact]:
    images = {("image", _name(image, moved)): image for image in release.images}
    charts = {("chart", chart.name): chart for chart in release.charts}
    return {**images, **charts}


def _name(image: Image, moved: frozenset[str]) -> str:
    return image.reference.name if image.reference.name in moved else str(image.reference)


def _artifact(
    name: tuple[str, str],
    old: Artifact | None,
    new: Artifact | None,
    known: Mapping[Digest, Descriptor],
) -> ArtifactChange | None:
    if old and new and old.blobs == new.blobs and _label(old) == _label(new):
        return None
    blobs = new.blobs if new else ()
    fresh = tuple(blob for blob in blobs if blob.digest not in known)
    return ArtifactChange(
        kind=name[0],
        name=name[1],
        change="changed" if old and new else "added" if new else "removed",
        old=_label(old),
        new=_label(new),
        new_blobs=fresh,
        new_bytes=sum(blob.size for blob in fresh),
        total_bytes=sum(blob.size for blob in blobs),
    )


def _label(artifact: Artifact | None) -> str:
    if artifact is None:
        return ""
    if isinstance(artifact, Chart):
        return artifact.version
    return f"{artifact.reference.tag or '-'} ({artifact.root.digest.short})"


def _helm_changes(old: Release, new: Release) -> list[HelmChange]:
    before = {helm.name: helm for helm in old.helm_releases}
    after = {helm.name: helm for helm in new.helm_releases}
    changes = []
    for name in [*after, *(name for name in before if name not in after)]:
        if name not in before or name not in after:
            changes.append(HelmChange(name, "added" if name in after else "removed", ()))
            continue
        fields = [key for key, value in vars(after[name]).items() if value != getattr(before[name], key)]
        if fields:
            changes.append(HelmChange(name, "changed", tuple(fields)))
    return changes
