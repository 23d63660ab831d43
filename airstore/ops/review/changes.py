"""What changes from one release to another for whoever operates it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import Chart, HelmRelease, Image, Release
from airstore.core.model.signers import UpstreamSignature
from airstore.ops.publish.diff import paired

_WORDS = {
    "namespace": "namespace", "chart": "chart", "values": "values files", "bind": "what is bound to the site",
    "needs": "order", "timeout": "time-out", "hooks": "hooks", "health": "health gates",
    "references": "rewriting of image references", "ignore": "what is no drift",
    "fail_fast": "early ends of waits",
}  # fmt: skip


@frozen
class HelmRow:
    """One Helm release.

    Attributes:
        change: ``added``, ``removed``, ``changed`` or ``unchanged``.
        old: version of its chart before; empty where it was not there.
        new: version of its chart; empty where it is gone.
        what: in words, what is different.
    """

    name: str
    namespace: str
    chart: str
    change: str
    old: str
    new: str
    what: tuple[str, ...]


@frozen
class LayerShare:
    """One blob of an image: what share of it is new."""

    digest: str
    size: int
    new: bool


@frozen
class ImageRow:
    """One image.

    Attributes:
        old: tag before, or empty.
        new: tag, or empty.
        old_digest: of its manifest or index before.
        parts: its blobs, new ones last.
        signatures: those of upstream that the publisher verified.
    """

    name: str
    change: str
    old: str
    new: str
    old_digest: str
    new_digest: str
    parts: tuple[LayerShare, ...]
    signatures: tuple[UpstreamSignature, ...] = ()

    @property
    def new_bytes(self) -> int:
        """Of blobs that the older release has nowhere."""
        return sum(part.size for part in self.parts if part.new)

    @property
    def size(self) -> int:
        """All of its blobs."""
        return sum(part.size for part in self.parts)


def image_rows(old: Release, new: Release) -> list[ImageRow]:
    """Every image of either release; those that change first."""
    known = old.blobs()
    rows = [
        _image_row(name, before, after, known)
        for (kind, name), before, after in paired(old, new)
        if kind == "image"
    ]
    return sorted(rows, key=lambda row: (row.change == "unchanged", row.name))


def _image_row(name: str, before: object, after: object, known: Mapping[Digest, object]) -> ImageRow:
    old = before if isinstance(before, Image) else None
    new = after if isinstance(after, Image) else None
    parts = [
        LayerShare(str(blob.digest), blob.size, blob.digest not in known)
        for blob in (new.blobs if new else ())
    ]
    same = old and new and (old.root, old.blobs, old.reference) == (new.root, new.blobs, new.reference)
    return ImageRow(
        name=name,
        change="unchanged" if same else _change(old, new),
        old=old.reference.tag or "" if old else "",
        new=new.reference.tag or "" if new else "",
        old_digest=str(old.root.digest) if old else "",
        new_digest=str(new.root.digest) if new else "",
        parts=tuple(sorted(parts, key=lambda part: (part.new, -part.size, part.digest))),
        signatures=new.signatures if new else (),
    )


def helm_rows(old: Release, new: Release) -> list[HelmRow]:
    """Every Helm release of either release, in the newer one's order; those that are gone come last."""
    before = {helm.name: helm for helm in old.helm_releases}
    after = {helm.name: helm for helm in new.helm_releases}
    names = [*after, *(name for name in before if name not in after)]
    return [_helm_row(name, before.get(name), after.get(name), old, new) for name in names]


def _helm_row(
    name: str, before: HelmRelease | None, after: HelmRelease | None, old: Release, new: Release
) -> HelmRow:
    charts = _chart(before, old), _chart(after, new)
    what = _what(before, after, old, new)
    shown = after or before
    return HelmRow(
        name=name,
        namespace=shown.namespace if shown else "",
        chart=shown.chart if shown else "",
        change=_change(before, after) if what or not (before and after) else "unchanged",
        old=charts[0].version if charts[0] else "",
        new=charts[1].version if charts[1] else "",
        what=tuple(what),
    )


def _what(before: HelmRelease | None, after: HelmRelease | None, old: Release, new: Release) -> list[str]:
    if not before or not after:
        return []
    found = [
        f"{_WORDS.get(field, field)}: {getattr(before, field)} to {value}"
        if isinstance(value, str)
        else _WORDS.get(field, field)
        for field, value in vars(after).items()
        if value != getattr(before, field)
    ]
    charts = _chart(before, old), _chart(after, new)
    if charts[0] and charts[1] and charts[0].archive != charts[1].archive:
        moved = charts[0].version != charts[1].version
        found.append(f"chart {charts[0].version} to {charts[1].version}" if moved else "chart, same version")
    named = {
        "values": {path for helm in (before, after) for path in helm.values},
        "hooks": {path for helm in (before, after) for path in helm.hooks.values()},
        "what is rendered by default": {f"rendered/{after.name}.yaml"},
    }
    for words, paths in named.items():
        if any(old.files.get(path) != new.files.get(path) for path in paths):
            found.append(f"content of {words}" if words != "what is rendered by default" else words)
    return found


def _chart(helm: HelmRelease | None, release: Release) -> Chart | None:
    return next((chart for chart in release.charts if helm and chart.name == helm.chart), None)


def _change(old: object, new: object) -> str:
    return "changed" if old and new else "added" if new else "removed"
