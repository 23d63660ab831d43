"""The report about a release for those who decide whether it goes in: every fact, in no form yet."""

from __future__ import annotations

from collections.abc import Iterator

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.model.release import Chart, Image, Release
from airstore.core.parsing import yamlfile
from airstore.core.progress import Progress
from airstore.ops.media.bases import base_from_release
from airstore.ops.media.create import rehearse_media
from airstore.ops.media.plan import plan_media
from airstore.ops.publish.diff import paired
from airstore.ops.review.changes import HelmRow, ImageRow, helm_rows, image_rows
from airstore.ops.review.elsewhere import applied
from airstore.ops.review.packages import PackageChange, Scanner, compare
from airstore.ops.review.patches import FilePatch, patches
from airstore.ops.review.sbom.compare import BomChange, bom_changes
from airstore.ops.review.sides import Side, nothing, side
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.site.applies import PastApply
from airstore.store.blobs import BlobStore


@frozen
class ImagePackages:
    """What changed within one platform of an image, by its own package databases.

    Attributes:
        count: packages that the newer one has.
        notes: what could not be read, and why.
    """

    image: str
    platform: str
    count: int
    changes: tuple[PackageChange, ...]
    notes: tuple[str, ...] = ()


@frozen
class ChartRow:
    """One chart that differs; ``description`` is what it says of itself."""

    name: str
    old: str
    new: str
    digest: str
    description: str


@frozen
class MediaSize:
    """What media would weigh.

    Attributes:
        kind: ``delta`` or ``full``.
        size: bytes; None where that is not known here.
        note: why it is not.
    """

    kind: str
    size: int | None
    note: str = ""


@frozen
class Report:
    """Everything that the page says.

    Attributes:
        old: None where the release is the first.
        packages: of images that were added or changed.
        boms: the same by what is attached to them; images without are not in it.
        media: empty where nobody asked.
        applied: how long the newer release took where it was applied already, oldest first.
    """

    product: str
    old: Side | None
    new: Side
    helm_releases: tuple[HelmRow, ...]
    images: tuple[ImageRow, ...]
    charts: tuple[ChartRow, ...]
    files: tuple[FilePatch, ...]
    packages: tuple[ImagePackages, ...]
    boms: tuple[BomChange, ...]
    media: tuple[MediaSize, ...]
    applied: tuple[PastApply, ...] = ()

    @property
    def new_bytes(self) -> int:
        """Bytes of blobs, as registries have them, that the older release has nowhere."""
        known = self.old.release.blobs() if self.old else {}
        return sum(blob.size for digest, blob in self.new.release.blobs().items() if digest not in known)

    @property
    def size(self) -> int:
        """Bytes of all blobs of the newer release."""
        return sum(blob.size for blob in self.new.release.blobs().values())


def gather(
    store: StoreDirectory,
    blobs: BlobStore,
    versions: tuple[str | None, str],
    progress: Progress,
    *,
    media: bool,
) -> Report:
    """Collect the facts; reads the layers of images that changed.

    Args:
        store: of either side.
        blobs: its blobs; what is lacking among them is said in the report.
        versions: the older release, None where there is none, and the newer one.
        progress: shows what is read and measured.
        media: measure what media would weigh: they are made in the store's ``tmp/`` and removed.

    Raises:
        NotFoundError: there is no such release.
        NotTrustedError, DamagedError: one is not what its publisher signed.
    """
    old = side(store, versions[0]) if versions[0] else None
    new = side(store, versions[1])
    before = old.release if old else nothing(new.release)
    names = _names(before) | _names(new.release)
    return Report(
        product=new.release.product,
        old=old,
        new=new,
        helm_releases=tuple(helm_rows(before, new.release)),
        images=tuple(image_rows(before, new.release)),
        charts=tuple(_charts(before, new)),
        files=tuple(patches(old.files if old else {}, new.files, names)),
        packages=tuple(_packages(before, new.release, Scanner(blobs, progress))),
        boms=tuple(bom_changes(before, new.release, blobs)),
        media=tuple(_media(store, blobs, versions, progress)) if media else (),
        applied=applied(store, new.release.version),
    )


def _names(release: Release) -> set[str]:
    helm = {name for each in release.helm_releases for name in (each.name, each.namespace, each.chart)}
    return helm | {chart.name for chart in release.charts} | {release.product, release.version}


def _charts(old: Release, new: Side) -> Iterator[ChartRow]:
    for (kind, name), before, after in paired(old, new.release):
        if kind == "chart" and (before is None or after is None or before.root != after.root):
            was, now = (each.version if isinstance(each, Chart) else "" for each in (before, after))
            digest = str(after.root.digest) if after else ""
            yield ChartRow(name, was, now, digest, (_description(new, name) or "") if after else "")


def _description(new: Side, chart: str) -> str | None:
    try:
        document = yamlfile.load(new.files.get(f"charts/{chart}/Chart.yaml", b""), "Chart.yaml")
    except AirstoreError:
        return None
    found = document.get("description") if isinstance(document, dict) else None
    return str(found) if found else None


def _packages(old: Release, new: Release, scanner: Scanner) -> Iterator[ImagePackages]:
    for (kind, name), before, after in paired(old, new):
        if kind != "image" or not isinstance(after, Image):
            continue
        earlier = before if isinstance(before, Image) else None
        if earlier is None or earlier.root != after.root:
            yield from _packages_of(name, earlier, after, scanner)


def _packages_of(name: str, old: Image | None, new: Image, scanner: Scanner) -> Iterator[ImagePackages]:
    try:
        after = scanner.inventories(new)
        before = scanner.inventories(old) if old else {}
    except (NotFoundError, DamagedError) as fault:
        yield ImagePackages(name, "", 0, (), (f"not compared: {fault}",))
        return
    alone = next(iter(before.values())) if len(before) == len(after) == 1 else None
    for platform, (inventory, unread) in after.items():
        earlier = before.get(platform) or alone or ({}, ())
        notes = tuple(dict.fromkeys((*earlier[1], *unread)))
        yield ImagePackages(name, platform, len(inventory), compare(earlier[0], inventory), notes)


def _media(
    store: StoreDirectory, blobs: BlobStore, versions: tuple[str | None, str], progress: Progress
) -> Iterator[MediaSize]:
    old, new = versions
    kinds: dict[str, list[str]] = {**({"delta": [old]} if old else {}), "full": []}
    for kind, known in kinds.items():
        try:
            plan = plan_media(store, blobs, new, *(base_from_release(store, each) for each in known))
            yield MediaSize(kind, rehearse_media(store, blobs, plan, progress).size)
        except AirstoreError as fault:  # a report without this figure is better than none
            yield MediaSize(kind, None, str(fault))
