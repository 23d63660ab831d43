"""The product file ``airstore.yaml`` (schemas/product.schema.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Platform
from airstore.core.model.gates import parse_gate
from airstore.core.model.helm_release import HelmRelease, helm_from_json
from airstore.core.model.sections import ProductApplier, ProductRegistry
from airstore.core.model.signers import SignatureRule
from airstore.core.parsing import schema, yamlfile


@frozen
class ChartSource:
    """Where a chart comes from.

    Attributes:
        name: how Helm releases of the product file refer to it.
        source: a directory, a ``.tgz``, ``oci://...``, or a chart repository's URL.
        version: exact version; required for OCI and repository sources.
    """

    name: str
    source: str
    version: str = ""


@frozen
class Product:
    """A validated product file.

    Attributes:
        directory: what relative paths in it are relative to.
        platforms: empty means every platform that an index offers.
        kube_versions: what sites' clusters run; charts are rendered for each, for Helm's default where empty.
        api_versions: APIs that sites may have installed; charts are rendered without and with them.
        variants: values files; each chart is rendered once under each of them, and once without any.
        include: image references that discovery cannot find.
        exclude: glob patterns of false hits.
        no_images: globs over ``Kind.group`` of custom resources that are known to bring no image.
        sources: glob pattern of references to the place that holds them.
        signatures: rules for upstream signatures; every one that fits an image must be met.
        registry: the registry that a site may run in its cluster.
        applier: the applier that a site may run there; None: the product has none.
        text: the product file itself, as it was read.
        file: where it was read.
    """

    directory: Path
    name: str
    platforms: tuple[Platform, ...]
    charts: tuple[ChartSource, ...]
    helm_releases: tuple[HelmRelease, ...]
    kube_versions: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    no_images: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    signatures: tuple[SignatureRule, ...] = ()
    registry: ProductRegistry = field(default_factory=ProductRegistry)
    applier: ProductApplier | None = None
    text: bytes = field(default=b"", repr=False)
    file: Path = Path("airstore.yaml")

    def path(self, relative: str) -> Path:
        """A file that the product file names.

        Raises:
            UsageError: it is outside the product file's directory.
            NotFoundError: there is no such file.
        """
        path = (self.directory / relative).resolve()
        if not path.is_relative_to(self.directory.resolve()):
            raise UsageError(
                f"{self._line(relative)}{relative} is outside the product's directory {self.directory}",
                hint="copy it there: what a release is made of lies in one place; a chart may be packaged",
            )
        if not path.exists():
            raise NotFoundError(
                f"{self._line(relative)}the product file names {relative}, which is not in {self.directory}"
            )
        return path

    def _line(self, word: str) -> str:
        """Where the product file names something, for messages."""
        lines = self.text.decode(errors="replace").splitlines()
        number = next((number for number, line in enumerate(lines, 1) if word in line.partition("#")[0]), 0)
        return f"{self.file}:{number}: " if number else ""


def load_product(path: Path) -> Product:
    """Read and validate a product file.

    Raises:
        NotFoundError: no such file.
        UsageError: not YAML, not of the schema (file, line and field are named), or inconsistent.
    """
    try:
        text = path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read the product file {path}: {fault.strerror}") from fault
    document = yamlfile.load(text, str(path))
    schema.check_yaml(document, text, "product", str(path))
    _check_gates(document, text, path)
    product = replace(_from_yaml(document, path.resolve().parent), text=text, file=path)
    _check_names(product, text, path)
    return product


def _from_yaml(document: dict[str, Any], directory: Path) -> Product:
    images, discover = document.get("images", {}), document.get("discover", {})
    return Product(
        directory=directory,
        name=document["name"],
        platforms=tuple(_platform(text) for text in document.get("platforms", ())),
        charts=tuple(ChartSource(c["name"], c["source"], c.get("version", "")) for c in document["charts"]),
        helm_releases=tuple(helm_from_json(entry) for entry in document["releases"]),
        kube_versions=tuple(document.get("kubeVersions", ())),
        api_versions=tuple(document.get("apiVersions", ())),
        variants=tuple(discover.get("values", ())),
        include=tuple(images.get("include", ())),
        exclude=tuple(images.get("exclude", ())),
        no_images=tuple(images.get("noImages", ())),
        sources=dict(images.get("sources", {})),
        signatures=tuple(map(SignatureRule.from_json, images.get("signatures", ()))),
        registry=ProductRegistry.from_json(document.get("registry", {})),
        applier=ProductApplier.from_json(document["applier"]) if "applier" in document else None,
    )


def _check_gates(document: Mapping[str, Any], text: bytes, path: Path) -> None:
    for index, helm in enumerate(document["releases"]):
        for number, gate in enumerate(helm.get("health", ())):
            try:
                parse_gate(gate)
            except UsageError as fault:
                line = yamlfile.line_of(text, ("releases", index, "health", number))
                where = f"{path}:{line}: releases[{index}].health[{number}]"
                raise UsageError(f"{where}: {fault}") from fault


def published(product: Product) -> bytes:
    """The product file as it is signed and travels: without where the publisher keeps things, and comments.

    A chart's source is where the release has it; images are found in the release by their references.
    """
    document = yamlfile.load(product.text, "airstore.yaml")
    for chart in document["charts"]:
        chart["source"] = published_source(chart["name"])
    if "sources" in document.get("images", {}):
        document["images"] = {key: value for key, value in document["images"].items() if key != "sources"}
    return yamlfile.dump(document).encode()


def published_source(name: str) -> str:
    """Where a release has a chart."""
    return f"charts/{name}"


def _check_names(product: Product, text: bytes, path: Path) -> None:
    def fail(section: str, index: int, field_name: str, message: str) -> None:
        line = yamlfile.line_of(text, (section, index, field_name))
        raise UsageError(f"{path}:{line}: {section}[{index}].{field_name}: {message}")

    charts: set[str] = set()
    for index, chart in enumerate(product.charts):
        if chart.name in charts:
            fail("charts", index, "name", f"there is another chart {chart.name!r}")
        if "://" in chart.source and not chart.version:
            fail("charts", index, "source", "a chart from a registry or repository needs an exact version")
        charts.add(chart.name)
    earlier: set[str] = set()
    for index, helm in enumerate(product.helm_releases):
        if helm.name in earlier:
            fail("releases", index, "name", f"there is another release {helm.name!r}")
        if helm.chart not in charts:
            fail("releases", index, "chart", f"no chart {helm.chart!r} under charts")
        for need in helm.needs:
            if need not in earlier:
                fail("releases", index, "needs", f"{need!r} is not a release listed before this one")
        earlier.add(helm.name)


def _platform(text: str) -> Platform:
    """As releases have it: sites hold theirs against a stricter schema."""
    return Platform.parse(text.lower().replace("-", "_"))
