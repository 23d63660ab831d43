"""From what the product file says of a chart to the chart's exact bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from airstore.charts.helm.access import Reach, RepositoryLogin
from airstore.charts.helm.command import Helm
from airstore.charts.packages.archive import ChartArchive, read_chart
from airstore.charts.packages.artifact import ChartArtifact, chart_artifact, upstream_artifact
from airstore.charts.packages.package import package_directory
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.leftovers import scratch_directory
from airstore.core.limits import LIMITS
from airstore.core.model.product import ChartSource, Product


@frozen
class FetchedChart:
    """A chart's OCI artifact as a registry served it."""

    manifest: bytes = field(repr=False)
    config: bytes = field(repr=False)
    archive: bytes = field(repr=False)
    provenance: bytes | None = field(default=None, repr=False)
    more: Mapping[Descriptor, bytes] = field(default_factory=dict, repr=False, hash=False)


FetchOci = Callable[[str, str], FetchedChart]  # source (``oci://host/path``) and version


@frozen
class ResolvedChart:
    """One chart of the product, with its bytes.

    Attributes:
        source: as the product file writes it.
        archive: the ``.tgz``.
        manifest: upstream's, where the chart came from a registry, so that its digest stays the same.
        config: upstream's, likewise.
        provenance: Helm's signature file (``.prov``), where there is one.
        more: upstream's other layers, which Helm passes over.
    """

    name: str
    version: str
    source: str
    archive: bytes = field(repr=False)
    manifest: bytes | None = field(default=None, repr=False)
    config: bytes | None = field(default=None, repr=False)
    provenance: bytes | None = field(default=None, repr=False)
    more: Mapping[Descriptor, bytes] = field(default_factory=dict, repr=False, hash=False)

    def read(self) -> ChartArchive:
        """The archive, read.

        Raises:
            DamagedError: see `read_chart`.
        """
        return read_chart(self.archive, f"chart {self.name}")

    def artifact(self) -> ChartArtifact:
        """The chart as an OCI artifact: upstream's own, or one made here.

        Raises:
            DamagedError: what the registry served does not fit together.
        """
        if self.manifest is None or self.config is None:
            return chart_artifact(self.archive, self.provenance)
        return upstream_artifact(
            self.manifest, self.config, self.archive, self.provenance, self.source, self.more
        )


def resolve(
    helm: Helm,
    chart: ChartSource,
    product: Product,
    fetch_oci: FetchOci,
    reach: Reach = RepositoryLogin,
) -> ResolvedChart:
    """Find a chart of the product file and read it.

    Args:
        helm: packages directories and talks to chart repositories.
        chart: the product file's entry.
        product: what relative sources are relative to.
        fetch_oci: gets a chart from a registry.
        reach: credentials of chart repositories and registries, those of dependencies too.

    Raises:
        NotFoundError: no such directory, file, repository entry or artifact.
        TransferError: a registry or repository cannot be reached.
        DamagedError: what came is not a chart.
        UsageError: the chart has another name or version than the product file says.
    """
    found = _find(helm, chart, product, fetch_oci, reach)
    read = read_chart(found.archive, f"chart {chart.name} from {chart.source}")
    _check_identity(chart, read)
    resolved = ResolvedChart(
        read.name,
        read.version,
        chart.source,
        found.archive,
        found.manifest or None,
        found.config or None,
        found.provenance,
        found.more,
    )
    resolved.artifact()
    return resolved


def _find(
    helm: Helm, chart: ChartSource, product: Product, fetch_oci: FetchOci, reach: Reach
) -> FetchedChart:
    if chart.source.startswith("oci://"):
        return fetch_oci(chart.source, chart.version)
    if "://" in chart.source:
        return _pull(helm, chart, reach)
    path = product.path(chart.source)
    if path.is_dir():
        return FetchedChart(b"", b"", package_directory(helm, path, reach))
    return FetchedChart(b"", b"", _read_file(path), _provenance(path))


def _pull(helm: Helm, chart: ChartSource, reach: Reach) -> FetchedChart:
    if not chart.source.startswith(("https://", "http://")):
        raise UsageError(
            f"chart {chart.name}: {chart.source} is not a place for charts",
            hint="write a directory, a .tgz, oci://... or the https:// URL of a chart repository",
        )
    with scratch_directory("pull") as directory:
        path = helm.pull(chart.name, chart.version, reach(chart.source.rstrip("/")), Path(directory))
        return FetchedChart(b"", b"", _read_file(path), _provenance(path))


def _provenance(archive: Path) -> bytes | None:
    path = archive.with_name(archive.name + ".prov")
    return _read_file(path) if path.is_file() else None


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LIMITS.chart_archive + 1)
    except OSError as fault:
        raise NotFoundError(f"cannot read {path}: {fault.strerror}") from fault
    if len(data) > LIMITS.chart_archive:
        raise UsageError(f"{path} is larger than {LIMITS.chart_archive} bytes")
    return data


def _check_identity(wanted: ChartSource, found: ChartArchive) -> None:
    if found.name != wanted.name:
        raise UsageError(
            f"chart {wanted.name}: {wanted.source} holds a chart named {found.name!r}",
            hint=f"write name: {found.name} in the product file",
        )
    if wanted.version and found.version != wanted.version:
        raise UsageError(
            f"chart {wanted.name}: {wanted.source} is version {found.version}, not {wanted.version}",
            hint=f"write version: {found.version} in the product file, or change the chart's own",
        )
