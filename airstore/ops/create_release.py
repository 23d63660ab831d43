"""``airstore release create``: from the product file to a signed commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airstore.charts.finding import Finding, wanted
from airstore.charts.helm import Helm
from airstore.charts.resolve import ResolvedChart
from airstore.core.digest import Digest
from airstore.core.errors import SequenceError
from airstore.core.product import Product, load_product
from airstore.core.progress import Progress
from airstore.core.reference import Reference
from airstore.core.release import Release
from airstore.ops.access import Access
from airstore.ops.diff_releases import diff_releases
from airstore.ops.directory import StoreDirectory
from airstore.ops.find_images import find_images, render_all, resolve_charts, vendor_manifests
from airstore.ops.ingest import Ingested, ingest
from airstore.ops.record_sizes import check_records
from airstore.ops.release_tree import in_tree, tree_files
from airstore.ops.trusted import all_releases
from airstore.ops.verify_release import ENVELOPE_FILE, RELEASE_FILE, VerifiedRelease
from airstore.trust import envelope, sshsig
from airstore.trust.keys import PrivateKey
from airstore.trust.statement import RELEASE, STATEMENT_TYPE, statement


@dataclass(frozen=True)
class Signing:
    """Who makes the release, and when.

    Attributes:
        author: name and mail address for the commit.
        when: seconds since the epoch.
    """

    key: PrivateKey
    author: tuple[str, str]
    when: int


@dataclass(frozen=True)
class Contents:
    """What a release would consist of, before anything is fetched.

    Attributes:
        references: images to take in, sorted.
        findings: everything discovery saw, excluded and doubtful places too.
        manifests: Helm release name to what Helm would install without any site's values.
        warnings: what will be a problem one day, for people.
    """

    product: Product
    charts: tuple[ResolvedChart, ...]
    references: tuple[Reference, ...]
    findings: tuple[Finding, ...]
    manifests: Mapping[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Created:
    """The result.

    Attributes:
        commit: empty when nothing had changed and the release existed already.
    """

    release: Release
    commit: str
    ingested: Ingested


def gather(product_file: Path, helm: Helm, access: Access) -> Contents:
    """Resolve charts and find images; nothing is written.

    Raises:
        UsageError: product file or charts are wrong.
        NotFoundError, TransferError: a chart cannot be had.
    """
    product = load_product(product_file)
    charts = resolve_charts(product, helm, access)
    rendered = render_all(product, charts, helm)
    findings = find_images(product, charts, rendered)
    manifests = vendor_manifests(product, rendered)
    warnings = check_records(product, charts, rendered)
    return Contents(product, charts, tuple(wanted(findings)), findings, manifests, warnings)


def create_release(
    store: StoreDirectory,
    contents: Contents,
    version: str,
    access: Access,
    signing: Signing,
    progress: Progress,
) -> Created:
    """Take everything in, then commit and sign.

    Creating a version again from the same inputs changes nothing and is no error.

    Raises:
        SequenceError: the version exists with other content.
        NotFoundError, TransferError, DamagedError: an image cannot be had as its digests say.
    """
    earlier = all_releases(store)
    files = tree_files(contents.product, contents.charts, contents.manifests)
    existing = next((link.release for link in earlier if link.release.version == version), None)

    def make(taken: Ingested) -> Release:
        return _release(contents.product, version, taken, files, earlier)

    def accept(taken: Ingested) -> None:
        if existing:
            _check_same(existing, make(taken))

    ingested = _ingest(store, contents, access, progress, accept)
    if existing:
        return Created(existing, "", ingested)
    release = make(ingested)
    return Created(release, _commit(store, release, files, signing), ingested)


def _ingest(
    store: StoreDirectory,
    contents: Contents,
    access: Access,
    progress: Progress,
    accept: Callable[[Ingested], None],
) -> Ingested:
    platforms = contents.product.platforms
    with store.open_blobs() as blobs, access.images(contents.product) as source:
        return ingest(blobs, contents.references, contents.charts, source, platforms, progress, accept)


def _release(
    product: Product,
    version: str,
    ingested: Ingested,
    files: dict[str, bytes],
    earlier: Sequence[VerifiedRelease],
) -> Release:
    return Release(
        product=product.name,
        version=version,
        sequence=len(earlier) + 1,
        previous=earlier[-1].digest if earlier else None,
        platforms=tuple(map(str, product.platforms)),
        images=ingested.images,
        charts=ingested.charts,
        helm_releases=in_tree(product.helm_releases),
        files={path: Digest.of(data) for path, data in files.items()},
        registry=product.registry,
        applier=product.applier,
    )


def _check_same(existing: Release, release: Release) -> None:
    """Refuse to make a version again from other inputs, before any of them becomes visible."""
    same = replace(release, sequence=existing.sequence, previous=existing.previous)
    if same.to_bytes() != existing.to_bytes():
        raise SequenceError(
            f"release {release.version} exists with other content: {_difference(existing, same)}",
            hint="a release never changes: choose a new version, see `airstore release diff`",
        )


def _difference(old: Release, new: Release) -> str:
    """The first few things that differ, for the error message."""
    names = [change.name for change in diff_releases(old, new).artifacts]
    names += sorted(path for path in {*old.files, *new.files} if old.files.get(path) != new.files.get(path))
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "") or "the definition of Helm releases"


def _commit(store: StoreDirectory, release: Release, files: dict[str, bytes], signing: Signing) -> str:
    data = release.to_bytes()
    signed = statement(
        RELEASE, {RELEASE_FILE: Digest.of(data)}, {"product": release.product, "version": release.version}
    )
    tree = {
        **files,
        RELEASE_FILE: data,
        ENVELOPE_FILE: envelope.sign(signed, STATEMENT_TYPE, [signing.key]),
    }
    return store.history.commit_release(
        tree,
        release.version,
        f"{release.product} {release.version}",
        signing.author,
        signing.when,
        lambda payload: sshsig.sign(signing.key, payload, "git"),
    )
