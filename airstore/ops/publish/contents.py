"""What a release would consist of: charts, images and schemas, found before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from airstore.charts.helm.command import Helm
from airstore.charts.images.finding import ImageFinding, Unreadable, wanted
from airstore.charts.packages.record import Record
from airstore.charts.packages.resolve import ResolvedChart
from airstore.charts.rendering.survey import survey
from airstore.charts.schemas.documents import NONE, SchemaDocuments
from airstore.core.frozen import frozen
from airstore.core.image.reference import Reference
from airstore.core.model.product import Product, load_product
from airstore.core.notice import Notice
from airstore.ops.publish.images.find_images import find_images, resolve_charts
from airstore.ops.publish.images.record_sizes import sizes_of, tight
from airstore.ops.publish.schemas import find_schemas
from airstore.ops.publish.tree import tree_files
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import StoreDirectory


@frozen
class ReleaseContents:
    """What a release would consist of, before anything is fetched.

    Attributes:
        references: images to ingest, sorted.
        findings: everything discovery saw, excluded and doubtful places too.
        manifests: Helm release name to what Helm would install without any site's values.
        unreadable: what containers have for an image and is none.
        notices: what a person should know or decide.
        records: Helm release name to the record that Helm would keep of it.
        schemas: what the charts' values schemas refer to elsewhere.
    """

    product: Product
    charts: tuple[ResolvedChart, ...]
    references: tuple[Reference, ...]
    findings: tuple[ImageFinding, ...]
    manifests: Mapping[str, str]
    unreadable: tuple[Unreadable, ...] = ()
    notices: tuple[Notice, ...] = ()
    records: Mapping[str, Record] = field(default_factory=dict)
    schemas: SchemaDocuments = NONE

    def files(self) -> dict[str, bytes]:
        """The tree of the release but for ``release.json`` and signatures; see `tree_files`."""
        return tree_files(self.product, self.charts, self.manifests) | self.schemas.files()


def gather(
    product_file: Path,
    helm: Helm,
    access: RegistryOptions,
    kube_versions: Sequence[str] = (),
    store: StoreDirectory | None = None,
) -> ReleaseContents:
    """Resolve charts and find images; nothing is written.

    Args:
        product_file: of the product.
        helm: packages and renders.
        access: how chart repositories and registries are reached.
        kube_versions: in place of those that the product file names.
        store: whose newest release has the schemas of places that do not answer.

    Raises:
        UsageError: product file or charts are wrong.
        NotFoundError, TransferError: a chart cannot be had.
    """
    helm.version()
    product = load_product(product_file)
    if kube_versions:
        product = replace(product, kube_versions=tuple(kube_versions))
    charts = resolve_charts(product, helm, access)
    schemas = find_schemas(charts, access, store)
    surveyed = survey(helm, product, {chart.name: chart for chart in charts}, schemas)
    found = find_images(product, charts, surveyed)
    references = tuple(wanted(found.findings))
    records = sizes_of(product, charts, surveyed.rendered)
    notices = (*found.notices, *tight(records))
    return ReleaseContents(
        product,
        charts,
        references,
        found.findings,
        surveyed.manifests,
        found.unreadable,
        notices,
        records,
        schemas.documents,
    )
